/** tus 1.0.0, "Creation With Upload". */
import { absent, lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  bytesType,
  created,
  head,
  holds,
  options,
  patch,
  pattern,
  post,
  send,
  stands,
  text,
  tusTable,
  version,
} from './tus-steps.ts'

const at = (offset: number) => ({ ...created, headers: { 'Upload-Offset': String(offset) } })
const length = (value: number) => ({ ...bytesType, 'Upload-Length': String(value) })

const rows: Row[] = [
  {
    id: 'advertised',
    from: must('Creation With Upload'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('creation-with-upload') } })],
  },
  {
    id: 'needs-creation',
    from: must('Creation With Upload'),
    says: 'The extension is offered only together with creation.',
    steps: [options({ headers: { 'Tus-Extension': lists('creation') } })],
  },
  {
    id: 'whole',
    from: must('Creation With Upload'),
    says: 'A POST may carry all of an upload; its answer tells the offset after it.',
    steps: [
      post('a', length(11), at(11), text('hello world')),
      head('a', { headers: { 'Upload-Offset': '11', 'Upload-Length': '11' } }),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'chunk',
    from: must('Creation With Upload'),
    says: 'A POST may carry the first bytes of an upload; its answer tells the offset after them.',
    steps: [
      post('a', length(11), at(5), text('hello')),
      stands('a', 5),
      patch('a', 5, text(' world')),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'all-accepted',
    from: should('Creation With Upload'),
    says: 'All bytes of a large POST are accepted.',
    steps: [
      post('a', length(6_000_001), at(6_000_001), pattern(6_000_001)),
      holds('a', pattern(6_000_001)),
    ],
  },
  {
    id: 'chunked',
    from: must('Creation With Upload'),
    says: 'A POST whose own length is not told beforehand counts the bytes that came.',
    steps: [
      send('POST', '{target}', { ...version, ...length(11) }, at(5), {
        as: 'a',
        body: text('hello'),
        chunked: true,
      }),
      stands('a', 5),
    ],
  },
  {
    id: 'deferred',
    from: must('Creation With Upload'),
    says: 'An upload whose length comes later may begin with bytes.',
    needs: ['creation-defer-length'],
    steps: [
      post('a', { ...bytesType, 'Upload-Defer-Length': '1' }, at(5), text('hello')),
      head('a', { headers: { 'Upload-Offset': '5', 'Upload-Defer-Length': '1' } }),
    ],
  },
  {
    id: 'content-type',
    from: should('Creation With Upload'),
    says: 'Bytes of another type are answered 415, and no upload is made.',
    steps: [
      post(
        'a',
        { 'Content-Type': 'text/plain', 'Upload-Length': '5' },
        { status: 415, headers: { Location: absent } },
        text('hello'),
      ),
    ],
  },
  {
    id: 'no-content-type',
    from: should('Creation With Upload'),
    says: 'Bytes without a type are answered 415, and no upload is made.',
    steps: [
      post(
        'a',
        { 'Upload-Length': '5' },
        { status: 415, headers: { Location: absent } },
        text('hello'),
      ),
    ],
  },
  {
    id: 'too-many',
    from: convention('Creation With Upload'),
    says: 'More bytes than the length are refused.',
    steps: [post('a', length(4), { status: [413, 400] }, text('0123456789'))],
  },
  {
    id: 'expect-continue',
    from: convention('Creation With Upload'),
    says: 'A client that waits for 100 (Continue) gets it, and then 201.',
    steps: [
      post(
        'a',
        { ...length(5), Expect: '100-continue' },
        { ...at(5), interim: [{ status: 100, which: 'some' }] },
        text('hello'),
      ),
    ],
  },
  {
    id: 'expect-refused',
    from: convention('Creation With Upload'),
    says: 'A client that waits for 100 (Continue) hears of a refusal instead.',
    needs: ['max-size'],
    steps: [
      post(
        'a',
        { ...bytesType, 'Upload-Length': '{max-size+1}', Expect: '100-continue' },
        { status: 413 },
        text('hello'),
      ),
    ],
  },
  {
    id: 'empty-with-type',
    from: convention('Creation With Upload'),
    says: 'A POST of the type without bytes makes an upload that is empty so far.',
    steps: [post('a', length(5), created), stands('a', 0)],
  },
]

export const tusCreationWithUpload = tusTable(
  'tus-creation-with-upload',
  ['creation', 'creation-with-upload'],
  rows,
  [
    {
      from: should('Creation With Upload'),
      says: 'Of a POST that broke off as many bytes as possible are accepted.',
      unobservable: 'a client whose POST broke off never learns the URL of its upload',
    },
  ],
)
