/** IETF resumable uploads: appending to an upload that is complete. */
import { convention, must } from '../engine/row.ts'
import { all, append, done, type IetfRow, problemType, standsAt } from './ietf-steps.ts'
import { holds } from './tus-steps.ts'

const unchanged = [standsAt('a', 5, '?1'), holds('a', 'hello')]

export const completedRows: IetfRow[] = [
  {
    id: 'completed-unchanged',
    from: { '5': convention('6'), '6': must('6'), newest: must('4.1.2') },
    says: 'An upload that is complete takes no more bytes.',
    steps: [...done('a', 'hello'), append('a', 5, '?0', 'x', { status: '4xx' }), ...unchanged],
  },
  {
    id: 'completed-again-unchanged',
    from: { '5': convention('6'), '6': must('6'), newest: must('4.1.2') },
    says: 'So it is with bytes that would complete it again.',
    steps: [...done('a', 'hello'), append('a', 5, '?1', 'x', { status: '4xx' }), ...unchanged],
  },
  {
    id: 'completed-status',
    from: { '5': convention('6'), '6': must('6') },
    says: 'An append to it is answered 400.',
    steps: [...done('a', 'hello'), append('a', 5, '?1', 'x', { status: 400 })],
  },
  {
    id: 'completed-empty-status',
    from: { '5': convention('6'), '6': must('6') },
    says: 'So is an append without bytes.',
    steps: [...done('a', 'hello'), append('a', 5, '?1', '', { status: 400 })],
  },
  {
    id: 'completed-problem',
    from: { '6': convention('10.2') },
    says: 'The answer names the problem.',
    steps: [
      ...done('a', 'hello'),
      append('a', 5, '?1', 'x', {
        status: 400,
        problem: { type: problemType('completed-upload') },
      }),
    ],
  },
  {
    id: 'completed-replay',
    from: { newest: convention('4.4.2') },
    says: 'A client that did not hear the final answer gets it when it completes the upload again.',
    steps: [
      ...done('a', 'hello'),
      append('a', 5, '?1', '', { status: '2xx', headers: { 'Upload-Complete': '?1' } }),
      ...unchanged,
    ],
  },
  {
    id: 'completed-mismatch',
    from: { newest: must('4.4.2') },
    says: 'An append at another offset is 409, says "not complete" and tells the offset.',
    steps: [
      ...done('a', 'hello'),
      append('a', 3, '?1', 'x', {
        status: 409,
        headers: { 'Upload-Offset': '5', 'Upload-Complete': '?0' },
      }),
      ...unchanged,
    ],
  },
  {
    id: 'completed-by-creation',
    from: all('convention', '6', '6', '4.1.2'),
    says: 'No append changes the offset of a complete upload.',
    steps: [...done('a', 'hello'), append('a', 0, '?0', 'HELLO', { status: '4xx' }), ...unchanged],
  },
]
