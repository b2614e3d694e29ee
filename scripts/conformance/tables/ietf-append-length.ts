/** IETF resumable uploads: what appends tell about the length, and what must not exceed it. */
import { absent, atMost, wholeNumber } from '../engine/matchers.ts'
import { convention, must } from '../engine/row.ts'
import {
  append,
  beginAppend,
  cut,
  type IetfRow,
  look,
  lookUntil,
  open,
  problemType,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern } from './tus-steps.ts'

const success = { status: '2xx' } as const
const refused = { status: 400 } as const
const inconsistent = { ...refused, problem: { type: problemType('inconsistent-upload-length') } }
const told = (length: number | string) => ({ 'Upload-Length': String(length) })
const openOf11 = open('a', 'hello', told(11))

export const lengthRows: IetfRow[] = [
  {
    id: 'length-kept',
    from: { '6': must('6'), newest: must('4.1.3') },
    says: 'A last append that does not fit the length is answered 400; the upload stays incomplete.',
    steps: [openOf11, append('a', 5, '?1', ' wor', refused), standsAt('a', 5)],
  },
  {
    id: 'length-kept-offset',
    from: { '6': must('6') },
    says: 'The answer tells the offset, for the upload is still active.',
    steps: [
      openOf11,
      append('a', 5, '?1', ' wor', { ...refused, headers: { 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'length-ignored',
    from: { newest: must('4.1.3') },
    says: 'A length that is no number is ignored.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?0', ' ', success, { headers: told('eleven') }),
      look('a', { headers: { 'Upload-Offset': '6', 'Upload-Length': absent } }),
    ],
  },
  {
    id: 'length-kept-problem',
    from: { newest: convention('7.2') },
    says: 'The answer names the problem.',
    steps: [openOf11, append('a', 5, '?1', ' wor', inconsistent)],
  },
  {
    id: 'length-empty-too-early',
    from: { '6': must('6'), newest: must('4.1.3') },
    says: 'So is an append without bytes that would complete the upload too early.',
    steps: [openOf11, append('a', 5, '?1', '', refused), standsAt('a', 5)],
  },
  {
    id: 'length-told-again',
    from: { newest: must('4.1.3') },
    says: 'Another length than the one before is answered 400.',
    steps: [
      openOf11,
      append('a', 5, '?0', ' ', refused, { headers: told(12) }),
      look('a', { headers: { ...told(11), 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'length-told-same',
    from: { newest: must('4.1.3') },
    says: 'The same length may be told again.',
    steps: [
      openOf11,
      append('a', 5, '?0', ' ', success, { headers: told(11) }),
      append('a', 6, '?1', 'world', success, { headers: told(11) }),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'length-both-ways',
    from: { newest: must('4.1.3') },
    says: 'An append that tells two different lengths is answered 400.',
    steps: [open('a', 'hello'), append('a', 5, '?1', ' world', refused, { headers: told(12) })],
  },
  {
    id: 'length-below-offset',
    from: { newest: convention('4.1.3') },
    says: 'A length below the offset is refused.',
    steps: [open('a', 'hello'), append('a', 5, '?0', '', { status: '4xx' }, { headers: told(3) })],
  },
  {
    id: 'length-of-last-append',
    from: { '5': must('6'), '6': must('6'), newest: must('4.4.2') },
    says: 'A last append that breaks off fixes the length; another one is answered 400.',
    steps: [
      open('a', 'hello'),
      beginAppend('a', 5, '?1', pattern(400_000), 100_000),
      cut('append'),
      lookUntil('a', { headers: { 'Upload-Offset': '100005' } }),
      append('a', 100_005, '?1', pattern(400_000).subarray(100_000, 399_999), refused),
      append('a', 100_005, '?1', pattern(400_000).subarray(100_000)),
      standsAt('a', 400_005, '?1'),
    ],
  },
  ...[false, true].map(
    (chunked): IetfRow => ({
      id: `beyond${chunked ? ' chunked' : ''}`,
      from: { '6': must('6') },
      says: `More bytes than the length${chunked ? ', in chunks,' : ''} are answered 400; none counts beyond it.`,
      steps: [
        openOf11,
        append('a', 5, '?0', ' world, and more', refused, { chunked }),
        look('a', {
          ...success,
          headers: { 'Upload-Offset': atMost('11'), 'Upload-Complete': '?0' },
        }),
      ],
    }),
  ),
  ...[false, true].map(
    (chunked): IetfRow => ({
      id: `beyond${chunked ? ' chunked' : ''}`,
      from: { newest: must('4.4.2') },
      says: `More bytes than the length${chunked ? ', in chunks,' : ''} are refused, and so is all that comes later.`,
      steps: [
        openOf11,
        append('a', 5, '?0', ' world, and more', { status: '4xx' }, { chunked }),
        look('a', { status: '4xx' }),
        append('a', 5, '?1', ' world', { status: '4xx' }),
      ],
    }),
  ),
  {
    id: 'beyond-offset',
    from: { '6': must('6') },
    says: 'The answer to more bytes than the length tells the offset.',
    steps: [
      openOf11,
      append('a', 5, '?0', ' world, and more', {
        ...refused,
        headers: { 'Upload-Offset': wholeNumber },
      }),
    ],
  },
  {
    id: 'reached',
    from: { '6': must('4'), newest: must('4.1.3') },
    says: 'An append that reaches the length does not complete the upload unless it says so.',
    steps: [
      openOf11,
      append('a', 5, '?0', ' world', { ...success, headers: { 'Upload-Complete': '?0' } }),
      standsAt('a', 11, '?0'),
      append('a', 11, '?1', ''),
      holds('a', 'hello world'),
    ],
  },
]
