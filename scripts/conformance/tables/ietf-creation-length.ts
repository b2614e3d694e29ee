/** IETF resumable uploads: what a creation tells about the length. */
import { absent } from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import {
  append,
  beginCreation,
  create,
  cut,
  type IetfRow,
  look,
  lookUntil,
  open,
  problemType,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern, text } from './tus-steps.ts'

const success = { status: '2xx' } as const
const inconsistent = { type: problemType('inconsistent-upload-length') }
const told = (length: number | string) => ({ 'Upload-Length': String(length) })

export const lengthRows: IetfRow[] = [
  {
    id: 'length-recorded',
    from: { '6': must('4'), newest: must('4.2.2') },
    says: 'A length that a creation tells is recorded; HEAD tells it.',
    steps: [
      open('a', 'hello', told(10)),
      look('a', { headers: { ...told(10), 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'length-unknown',
    from: { newest: must('4.3.2') },
    says: 'HEAD tells no length when none was told.',
    steps: [open('a', 'hello'), look('a', { headers: { 'Upload-Length': absent } })],
  },
  {
    id: 'length-of-body',
    from: { '6': must('4'), newest: must('4.2.2') },
    says: 'The length of a body that is all of the upload is recorded, also when it breaks off.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', pattern(400_000), 100_000),
      cut('creation'),
      lookUntil('a', { headers: { ...told(400_000), 'Upload-Complete': '?0' } }),
    ],
  },
  {
    id: 'length-of-body-kept',
    from: { '5': must('6'), '6': must('6'), newest: must('4.1.3') },
    says: 'From then on another length is refused.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', pattern(400_000), 100_000),
      cut('creation'),
      lookUntil('a', { headers: { 'Upload-Offset': '100000' } }),
      append('a', 100_000, '?1', pattern(400_000).subarray(100_000, 399_999), { status: 400 }),
    ],
  },
  {
    id: 'length-both',
    from: { '6': must('4'), newest: must('4.1.3') },
    says: 'A creation may tell its length both ways.',
    steps: [
      create('a', '?1', success, { body: text('hello'), headers: told(5) }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'length-inconsistent',
    from: { '6': must('4'), newest: must('4.1.3') },
    says: 'A creation that tells two different lengths is answered 400.',
    steps: [create('a', '?1', { status: 400 }, { body: text('hello'), headers: told(6) })],
  },
  {
    id: 'length-inconsistent-problem',
    from: { newest: convention('7.2') },
    says: 'The answer names the problem.',
    steps: [
      create(
        'a',
        '?1',
        { status: 400, problem: inconsistent },
        { body: text('hello'), headers: told(6) },
      ),
    ],
  },
  {
    id: 'length-inconsistent-incomplete',
    from: { newest: should('4.2.2') },
    says: 'The answer says that it does not come from the whole upload.',
    steps: [
      create(
        'a',
        '?1',
        { status: 400, headers: { 'Upload-Complete': '?0' } },
        { body: text('hello'), headers: told(6) },
      ),
    ],
  },
  {
    id: 'length-too-many-bytes',
    from: { '6': must('6'), newest: must('4.4.2') },
    says: 'A creation with more bytes than its length is refused.',
    steps: [create('a', '?0', { status: 400 }, { body: text('hello world'), headers: told(5) })],
  },
  {
    id: 'length-too-many-bytes-chunked',
    from: { '6': must('6'), newest: must('4.4.2') },
    says: 'So it is when its body’s length is not told beforehand.',
    steps: [
      create(
        'a',
        '?0',
        { status: 400 },
        { body: text('hello world'), headers: told(5), chunked: true },
      ),
    ],
  },
  {
    id: 'length-too-few-bytes',
    from: { '6': convention('4'), newest: convention('4.1.3') },
    says: 'A creation in chunks that is to complete the upload with fewer bytes than its length is refused.',
    steps: [
      create('a', '?1', { status: 400 }, { body: text('hello'), headers: told(11), chunked: true }),
    ],
  },
  {
    id: 'length-reached',
    from: { '6': must('4'), newest: must('4.1.3') },
    says: 'An upload that has all its bytes is not complete before it is said to be.',
    steps: [
      open('a', 'hello', told(5)),
      standsAt('a', 5, '?0'),
      append('a', 5, '?1', ''),
      standsAt('a', 5, '?1'),
      holds('a', 'hello'),
    ],
  },
  ...['-5', 'five', '5.0', '"5"', '5, 6'].map(
    (value): IetfRow => ({
      id: `length-ignored ${value}`,
      from: { '6': convention('8.4'), newest: must('4.1.3') },
      says: `An Upload-Length of ${value} is ignored.`,
      steps: [
        open('a', 'hello', told(value)),
        look('a', { ...success, headers: { 'Upload-Length': absent, 'Upload-Offset': '5' } }),
      ],
    }),
  ),
]
