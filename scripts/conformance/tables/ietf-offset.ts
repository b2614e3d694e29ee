/** IETF resumable uploads: retrieving the offset. */
import { absent, atLeast, limits, matches, wholeNumber } from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import {
  all,
  append,
  ask,
  cancel,
  done,
  type IetfRow,
  ietfTables,
  look,
  lookUntil,
  open,
  standsAt,
} from './ietf-steps.ts'
import { holds } from './tus-steps.ts'

const success = { status: '2xx' } as const
const noStore = matches(/\bno-store\b/, 'no-store')
const noRedirect = { status: [200, 204, '4xx'] } as const

const answerRows: IetfRow[] = [
  {
    id: 'status',
    from: { '5': must('5'), '6': must('5'), newest: convention('4.3.2') },
    says: 'HEAD is answered 204 or 200.',
    steps: [open('a', 'hello'), look('a', { status: [204, 200] })],
  },
  {
    id: 'offset',
    from: all('MUST', '5', '5', '4.3.2'),
    says: 'The answer tells the offset.',
    steps: [
      open('a'),
      look('a', { ...success, headers: { 'Upload-Offset': '0' } }),
      append('a', 0, '?0', 'hello'),
      look('a', { ...success, headers: { 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'offset-complete',
    from: all('MUST', '5', '5', '4.3.2'),
    says: 'So it does for an upload that is complete.',
    steps: [...done('a', 'hello'), look('a', { ...success, headers: { 'Upload-Offset': '5' } })],
  },
  {
    id: 'incomplete',
    from: all('MUST', '5', '5', '4.3.2'),
    says: 'The answer says that the upload is not complete while it is not.',
    steps: [open('a', 'hello'), look('a', { ...success, headers: { 'Upload-Complete': '?0' } })],
  },
  {
    id: 'complete',
    from: all('MUST', '5', '5', '4.3.2'),
    says: 'The answer says that the upload is complete once it is.',
    steps: [...done('a', 'hello'), look('a', { ...success, headers: { 'Upload-Complete': '?1' } })],
  },
  {
    id: 'length',
    from: { '6': must('5'), newest: must('4.3.2') },
    says: 'The answer tells the length when it is known.',
    steps: [
      open('a', 'hello', { 'Upload-Length': '10' }),
      look('a', { ...success, headers: { 'Upload-Length': '10' } }),
    ],
  },
  {
    id: 'length-later',
    from: { newest: must('4.3.2') },
    says: 'So it does when an append told it.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?0', ' ', success, { headers: { 'Upload-Length': '11' } }),
      look('a', { ...success, headers: { 'Upload-Length': '11' } }),
    ],
  },
  {
    id: 'length-complete',
    from: { newest: must('4.3.2') },
    says: 'So it does when the last append told it by its own length.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?1', ' world'),
      look('a', { ...success, headers: { 'Upload-Length': '11', 'Upload-Complete': '?1' } }),
    ],
  },
  {
    id: 'limits',
    from: { '6': convention('5'), newest: must('4.3.2') },
    says: 'The answer tells the limits.',
    steps: [open('a', 'hello'), look('a', { ...success, headers: { 'Upload-Limit': limits } })],
  },
  {
    id: 'no-store',
    from: all('SHOULD', '5', '5', '4.3.2'),
    says: 'The answer is not to be stored by caches.',
    steps: [open('a', 'hello'), look('a', { ...success, headers: { 'Cache-Control': noStore } })],
  },
  {
    id: 'numbers',
    from: all('MUST', '8.1', '8.1', '4.1.1'),
    says: 'Offsets are whole numbers, not negative.',
    steps: [
      open('a', 'hello'),
      look('a', {
        headers: {
          'Upload-Offset': wholeNumber,
          'Upload-Complete': matches(/^\?[01]$/, '?0 or ?1'),
        },
      }),
    ],
  },
  {
    id: 'get',
    from: { newest: must('4.3.2') },
    says: 'GET of an upload that is not complete tells the same as HEAD.',
    steps: [
      open('a', 'hello', { 'Upload-Length': '10' }),
      ask('GET', '{a}', {
        ...success,
        headers: {
          'Upload-Offset': '5',
          'Upload-Complete': '?0',
          'Upload-Length': '10',
          'Upload-Limit': limits,
        },
      }),
    ],
  },
  {
    id: 'get-complete',
    from: { newest: must('4.3.2') },
    says: 'GET of an upload that is complete tells so.',
    steps: [
      ...done('a', 'hello'),
      ask('GET', '{a}', { ...success, headers: { 'Upload-Offset': '5', 'Upload-Complete': '?1' } }),
    ],
  },
]

const useRows: IetfRow[] = [
  {
    id: 'accepted',
    from: all('MUST', '5', '5', '4.6'),
    says: 'The offset that HEAD tells is accepted by an append.',
    steps: [
      open('a', 'hello'),
      look('a', success, { remember: { name: 'offset', header: 'Upload-Offset' } }),
      append('a', '{offset}', '?1', ' world'),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'steady',
    from: { '5': must('4'), '6': must('11'), newest: must('4.1.1') },
    says: 'The offset never goes down, not by an append that is refused either.',
    steps: [
      open('a', 'hello'),
      append('a', 2, '?0', 'xxx', { status: '4xx' }),
      look('a', { ...success, headers: { 'Upload-Offset': atLeast('5') } }),
    ],
  },
  {
    id: 'no-redirect',
    from: { '5': must('9'), '6': must('12'), newest: should('4.3.2') },
    says: 'HEAD is not answered 301 or 302, of whatever upload.',
    steps: [
      open('a', 'hello'),
      look('a', noRedirect),
      ...done('b', 'hello'),
      look('b', noRedirect),
      ask('HEAD', '{a}x', noRedirect),
    ],
  },
  {
    id: 'get-no-redirect',
    from: { newest: should('4.3.2') },
    says: 'GET of an upload is not answered 301 or 302.',
    steps: [...done('a', 'hello'), ask('GET', '{a}', { status: [200, 204, 303, 307, 308, '4xx'] })],
  },
  {
    id: 'unknown',
    from: { '5': must('5'), '6': must('5'), newest: convention('4.3.1') },
    says: 'HEAD of an upload that is not there is answered 404, without an offset.',
    steps: [open('a'), ask('HEAD', '{a}x', { status: 404, headers: { 'Upload-Offset': absent } })],
  },
  {
    id: 'cancelled',
    from: { '5': must('5'), '6': must('5'), newest: should('4.5.2') },
    says: 'HEAD of an upload that was cancelled is answered 404.',
    needs: ['ietf:cancellation'],
    steps: [open('a', 'hello'), cancel('a', success), look('a', { status: 404 })],
  },
  {
    id: 'expired',
    from: { '5': must('5'), '6': must('5') },
    says: 'HEAD of an upload that expired is answered 404.',
    needs: ['short-lived'],
    steps: [open('a', 'hello'), lookUntil('a', { status: 404 })],
  },
  {
    id: 'expired',
    from: { newest: convention('4.1.4') },
    says: 'HEAD of an upload that expired is answered 404 or 410.',
    needs: ['short-lived'],
    steps: [open('a', 'hello'), lookUntil('a', { status: [404, 410] })],
  },
]

const refused = (header: string, value: string): IetfRow => ({
  id: `refused-with ${header}`,
  from: header === 'Upload-Length' ? { '6': must('5') } : { '5': must('5'), '6': must('5') },
  says: `HEAD with ${header} is answered 400.`,
  steps: [open('a', 'hello'), look('a', { status: 400 }, { headers: { [header]: value } })],
})

export const ietfOffset = ietfTables(
  'ietf-offset',
  [
    ...answerRows,
    ...useRows,
    refused('Upload-Offset', '5'),
    refused('Upload-Complete', '?0'),
    refused('Upload-Length', '10'),
    {
      id: 'stays-known',
      from: all('convention', '5', '5', '4'),
      says: 'An upload that is complete can still be asked about.',
      steps: [...done('a', 'hello'), holds('a', 'hello'), standsAt('a', 5, '?1')],
    },
  ],
  [
    {
      from: { '6': must('11'), newest: must('4.1.1') },
      says: 'An upload that lost bytes is not used any more.',
      unobservable: 'a server cannot be made to lose bytes from outside',
    },
  ],
)
