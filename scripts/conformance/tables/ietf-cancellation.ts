/** IETF resumable uploads: cancellation. */
import { convention, must, should } from '../engine/row.ts'
import {
  all,
  append,
  ask,
  beginAppend,
  cancel,
  done,
  type IetfRow,
  ietfTables,
  look,
  open,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern } from './tus-steps.ts'

const success = { status: '2xx' } as const

const rows: IetfRow[] = [
  {
    id: 'status',
    from: { '5': must('7'), '6': must('7'), newest: convention('4.5.2') },
    says: 'DELETE is answered 204.',
    steps: [open('a', 'hello'), cancel('a', { status: 204 })],
  },
  {
    id: 'complete',
    from: all('convention', '7', '7', '4.5.2'),
    says: 'So is DELETE of an upload that is complete; its content is gone, too.',
    steps: [
      ...done('a', 'hello'),
      holds('a', 'hello'),
      cancel('a', { status: 204 }),
      { kind: 'content', of: 'a' },
    ],
  },
  {
    id: 'head-after',
    from: { '5': must('5'), '6': must('5'), newest: should('4.5.2') },
    says: 'The upload is deactivated: later HEADs are answered 404.',
    steps: [open('a', 'hello'), cancel('a', success), look('a', { status: 404 })],
  },
  {
    id: 'append-after',
    from: { '5': must('6'), '6': must('6'), newest: should('4.5.2') },
    says: 'Later appends are answered 404.',
    steps: [open('a', 'hello'), cancel('a', success), append('a', 5, '?0', 'x', { status: 404 })],
  },
  {
    id: 'delete-after',
    from: { '5': must('7'), '6': must('7'), newest: should('4.5.2') },
    says: 'Later DELETEs are answered 404.',
    steps: [open('a', 'hello'), cancel('a', success), cancel('a', { status: 404 })],
  },
  {
    id: 'unknown',
    from: { '5': must('7'), '6': must('7'), newest: convention('4.5.2') },
    says: 'DELETE of an upload that is not there is answered 404.',
    steps: [open('a'), ask('DELETE', '{a}x', { status: 404 })],
  },
  ...[
    ['Upload-Offset', '5'],
    ['Upload-Complete', '?0'],
  ].map(
    ([header = '', value = '']): IetfRow => ({
      id: `refused-with ${header}`,
      from: { '5': must('7'), '6': must('7') },
      says: `DELETE with ${header} is answered 400 and removes nothing.`,
      steps: [
        open('a', 'hello'),
        cancel('a', { status: 400 }, { headers: { [header]: value } }),
        standsAt('a', 5),
      ],
    }),
  ),
  {
    id: 'no-redirect',
    from: { '5': must('9'), '6': must('12'), newest: should('4.5.2') },
    says: 'DELETE is not answered 301 or 302, of whatever upload.',
    steps: [
      open('a', 'hello'),
      cancel('a', { status: [200, 202, 204, '4xx'] }),
      cancel('a', { status: [200, 202, 204, '4xx'] }),
    ],
  },
  {
    id: 'in-flight',
    from: { '5': convention('7'), '6': convention('7'), newest: should('4.5.2') },
    says: 'A request that is sending bytes to the upload is ended before the answer.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', pattern(400_000), 100_000),
      cancel('a', { status: 204 }),
      { kind: 'finish', call: 'append', expect: { status: ['4xx', '5xx'], orClosed: true } },
      look('a', { status: [404, 410] }),
    ],
  },
]

export const ietfCancellation = ietfTables(
  'ietf-cancellation',
  // Where DELETE is answered 405, as a server without cancellation has to, nothing is offered.
  rows.map((row) => ({ ...row, needs: ['ietf:cancellation'] })),
)
