/** tus 1.0.0, "Termination". */
import { lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  begun,
  filled,
  head,
  holds,
  options,
  patch,
  patchHeaders,
  pattern,
  remove,
  send,
  text,
  tusTable,
  version,
  whole,
} from './tus-steps.ts'

const gone = { status: [404, 410] } as const
const removed = remove('a', { status: 204 })

const rows: Row[] = [
  {
    id: 'advertised',
    from: must('Termination'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('termination') } })],
  },
  {
    id: 'empty',
    from: must('Termination/DELETE'),
    says: 'DELETE of an upload that holds nothing yet is answered 204.',
    steps: [begun('a', 10), removed],
  },
  {
    id: 'unfinished',
    from: must('Termination/DELETE'),
    says: 'DELETE of an unfinished upload is answered 204.',
    steps: [...filled('a', 10, 'hello'), removed],
  },
  {
    id: 'finished',
    from: must('Termination/DELETE'),
    says: 'DELETE of an upload that is complete is answered 204.',
    steps: [...whole('a', 'hello'), removed],
  },
  {
    id: 'finished-stored',
    from: must('Termination/DELETE'),
    says: 'So is DELETE of an upload whose content was read.',
    steps: [...whole('a', 'hello'), holds('a', 'hello'), removed],
  },
  {
    id: 'version',
    from: must('Core/Tus-Resumable'),
    says: 'The answer to DELETE tells the version of the protocol.',
    steps: [begun('a', 10), remove('a', { status: 204, headers: { 'Tus-Resumable': '1.0.0' } })],
  },
  {
    id: 'content-freed',
    from: should('Termination/DELETE'),
    says: 'The content of an upload that was removed cannot be had any more.',
    steps: [...whole('a', 'hello'), holds('a', 'hello'), removed, { kind: 'content', of: 'a' }],
  },
  {
    id: 'head-after',
    from: should('Termination/DELETE'),
    says: 'Later HEADs are answered 404 or 410.',
    steps: [...filled('a', 10, 'hello'), removed, head('a', gone)],
  },
  {
    id: 'head-after-finished',
    from: should('Termination/DELETE'),
    says: 'So are HEADs of an upload that had been complete.',
    steps: [...whole('a', 'hello'), removed, head('a', gone)],
  },
  {
    id: 'patch-after',
    from: should('Termination/DELETE'),
    says: 'Later PATCHes are answered 404 or 410.',
    steps: [...filled('a', 10, 'hello'), removed, patch('a', 5, text('world'), gone)],
  },
  {
    id: 'delete-after',
    from: should('Termination/DELETE'),
    says: 'Later DELETEs are answered 404 or 410.',
    steps: [...filled('a', 10, 'hello'), removed, remove('a', gone)],
  },
  {
    id: 'unknown',
    from: convention('Termination/DELETE'),
    says: 'DELETE of an upload that is not there is answered 404 or 410.',
    steps: [begun('a', 10), send('DELETE', '{a}x', version, gone)],
  },
  {
    id: 'while-receiving',
    from: convention('Termination/DELETE'),
    says: 'An upload can be removed while a request sends its bytes, and that request fails.',
    steps: [
      begun('a', 400_000),
      {
        kind: 'begin',
        call: 'writer',
        request: {
          method: 'PATCH',
          to: '{a}',
          headers: patchHeaders(0, { Expect: '100-continue' }),
          body: pattern(400_000),
        },
        sent: 100_000,
      },
      removed,
      { kind: 'finish', call: 'writer', expect: { status: ['4xx', '5xx'], orClosed: true } },
      head('a', gone),
    ],
  },
]

export const tusTermination = tusTable('tus-termination', ['creation', 'termination'], rows, [
  {
    from: should('Termination/DELETE'),
    says: 'The resources of an upload are freed.',
    unobservable: 'what lies in storage is not seen over HTTP; that content is gone, is',
  },
])
