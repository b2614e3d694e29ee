/** IETF resumable uploads: appending. */
import { not } from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import { completedRows } from './ietf-append-completed.ts'
import { interimRows } from './ietf-append-interim.ts'
import { lengthRows } from './ietf-append-length.ts'
import { refusalRows } from './ietf-append-refusals.ts'
import {
  all,
  append,
  beginAppend,
  cut,
  type IetfRow,
  ietfTables,
  look,
  lookUntil,
  open,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern } from './tus-steps.ts'

const success = { status: '2xx' } as const
const complete = { 'Upload-Complete': '?1' }
const incomplete = { 'Upload-Complete': '?0' }

const answerRows: IetfRow[] = [
  {
    id: 'status',
    from: { '5': must('6'), '6': must('6') },
    says: 'An append that does not complete the upload is answered 201.',
    steps: [open('a', 'hello'), append('a', 5, '?0', ' ', { status: 201 })],
  },
  {
    id: 'status',
    from: { newest: must('4.4.2') },
    says: 'An append that does not complete the upload is answered 2xx.',
    steps: [open('a', 'hello'), append('a', 5, '?0', ' ', success), standsAt('a', 6)],
  },
  {
    // The earlier texts say "true" here, which their own section on creation shows to be a slip.
    id: 'incomplete',
    from: all('MUST', '6', '6', '4.4.2'),
    says: 'It is answered that the upload is not complete.',
    steps: [open('a', 'hello'), append('a', 5, '?0', ' ', { ...success, headers: incomplete })],
  },
  {
    id: 'offset',
    from: { '5': must('6'), '6': must('6'), newest: convention('4.4.2') },
    says: 'The answer tells where the next bytes begin.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?0', ' wor', { ...success, headers: { 'Upload-Offset': '9' } }),
      append('a', 9, '?1', 'ld', { ...success, headers: { 'Upload-Offset': '11' } }),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'complete-status',
    from: { '5': must('6'), '6': must('6'), newest: should('4.4.2') },
    says: 'An append that completes the upload is answered 2xx.',
    steps: [open('a', 'hello'), append('a', 5, '?1', ' world', success), standsAt('a', 11, '?1')],
  },
  {
    id: 'complete-201',
    from: { '5': should('6'), '6': should('6'), newest: should('4.4.2') },
    says: 'It is answered as a creation with everything would have been.',
    steps: [open('a', 'hello'), append('a', 5, '?1', ' world', { status: 201 })],
  },
  {
    id: 'complete-not-incomplete',
    from: { '5': must('6'), '6': must('6') },
    says: 'It is not answered that the upload is incomplete.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?1', ' world', { ...success, headers: { 'Upload-Complete': not('?0') } }),
    ],
  },
  {
    id: 'complete',
    from: { '5': convention('6'), '6': convention('6'), newest: must('4.4.2') },
    says: 'It is answered that the upload is complete.',
    steps: [open('a', 'hello'), append('a', 5, '?1', ' world', { ...success, headers: complete })],
  },
  {
    id: 'empty-completes',
    from: all('MUST', '6', '6', '4.4.1'),
    says: 'An append without bytes may complete the upload.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?1', '', success),
      standsAt('a', 5, '?1'),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'series',
    from: all('MUST', '6', '6', '4.4.2'),
    says: 'Several megabytes in a series of appends arrive as they were sent.',
    steps: [
      open('a'),
      append('a', 0, '?0', pattern(7_000_003).subarray(0, 5_500_001)),
      append('a', 5_500_001, '?0', pattern(7_000_003).subarray(5_500_001, 5_500_002)),
      append('a', 5_500_002, '?1', pattern(7_000_003).subarray(5_500_002)),
      holds('a', pattern(7_000_003)),
    ],
  },
  {
    id: 'chunked',
    from: all('MUST', '6', '14', '9'),
    says: 'Bytes count without their transfer coding.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?1', ' world', success, { chunked: true }),
      standsAt('a', 11, '?1'),
      holds('a', 'hello world'),
    ],
  },
]

const brokenRows: IetfRow[] = [
  {
    id: 'cut-incomplete',
    from: all('MUST', '5', '6', '4.4.2'),
    says: 'An upload whose last append broke off is not complete.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', pattern(400_000), 150_000),
      cut('append'),
      look('a', { ...success, headers: incomplete }),
    ],
  },
  {
    id: 'cut-stored',
    from: { '5': convention('6'), '6': should('6'), newest: should('4.4.2') },
    says: 'What arrived of an append that broke off is kept, from its beginning: all of it.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', pattern(400_000), 150_000),
      cut('append'),
      lookUntil('a', { headers: { 'Upload-Offset': '150000', ...incomplete } }),
      append('a', 150_000, '?1', pattern(400_000).subarray(150_000)),
      holds('a', pattern(400_000)),
    ],
  },
]

export const ietfAppend = ietfTables('ietf-append', [
  ...answerRows,
  ...refusalRows,
  ...brokenRows,
  ...interimRows,
  ...completedRows,
  ...lengthRows,
])
