/** IETF resumable uploads: appends that are refused, and what malformed fields mean. */
import { convention, must, should } from '../engine/row.ts'
import {
  all,
  append,
  appending,
  ask,
  cancel,
  type IetfRow,
  interop,
  open,
  problemType,
  standsAt,
} from './ietf-steps.ts'
import { holds, text } from './tus-steps.ts'

const success = { status: '2xx' } as const
const incomplete = { 'Upload-Complete': '?0' }

export const refusalRows: IetfRow[] = [
  {
    id: 'no-content-type',
    from: { '5': must('6') },
    says: 'An append needs no content type.',
    steps: [
      open('a', 'hello'),
      ask('PATCH', '{a}', success, {
        body: text('x'),
        headers: { 'Upload-Offset': '5', 'Upload-Complete': '?0' },
      }),
      standsAt('a', 6),
    ],
  },
  ...['text/plain', 'application/offset+octet-stream'].map(
    (type): IetfRow => ({
      id: `content-type ${type}`,
      from: { '6': convention('6'), newest: convention('4.4.2') },
      says: `An append of type ${type} is answered 415, and nothing counts.`,
      steps: [
        open('a', 'hello'),
        append('a', 5, '?0', 'x', { status: 415 }, { headers: { 'Content-Type': type } }),
        standsAt('a', 5),
      ],
    }),
  ),
  {
    id: 'completeness-in-refusal',
    from: { newest: should('4.4.2') },
    says: 'The answer to an append that is refused says whether it comes from the whole upload.',
    steps: [
      open('a', 'hello'),
      append(
        'a',
        5,
        '?0',
        'x',
        { status: '4xx', headers: { 'Upload-Complete': '?0' } },
        {
          headers: { 'Content-Type': 'text/plain' },
        },
      ),
    ],
  },
  {
    id: 'offset-in-refusal',
    from: { '6': must('6') },
    says: 'An append that is refused for its type is told the offset, too.',
    steps: [
      open('a', 'hello'),
      append(
        'a',
        5,
        '?0',
        'x',
        { status: '4xx', headers: { 'Upload-Offset': '5' } },
        {
          headers: { 'Content-Type': 'text/plain' },
        },
      ),
    ],
  },
  ...[3, 7].map(
    (offset): IetfRow => ({
      id: `mismatch ${offset}`,
      from: all('MUST', '6', '6', '4.4.2'),
      says: `An append at ${offset} of an upload that stands at 5 is 409 with the right offset.`,
      steps: [
        open('a', 'hello'),
        append('a', offset, '?0', 'xxx', { status: 409, headers: { 'Upload-Offset': '5' } }),
        standsAt('a', 5),
        append('a', 5, '?1', ' world'),
        holds('a', 'hello world'),
      ],
    }),
  ),
  {
    id: 'mismatch-incomplete',
    from: { newest: must('4.4.2') },
    says: 'That answer says that the upload is not complete.',
    steps: [open('a', 'hello'), append('a', 3, '?1', 'x', { status: 409, headers: incomplete })],
  },
  {
    id: 'mismatch-problem',
    from: { '6': convention('10.1'), newest: convention('7.1') },
    says: 'That answer names the problem.',
    steps: [
      open('a', 'hello'),
      append('a', 3, '?0', 'x', {
        status: 409,
        problem: { type: problemType('mismatching-upload-offset') },
      }),
    ],
  },
  {
    id: 'mismatch-members',
    from: { '6': should('10.1'), newest: should('7.1') },
    says: 'The problem tells the expected and the provided offset.',
    steps: [
      open('a', 'hello'),
      append('a', 3, '?0', 'x', {
        status: 409,
        problem: { 'expected-offset': 5, 'provided-offset': 3 },
      }),
    ],
  },
  {
    id: 'no-offset',
    from: all('convention', '6', '6', '4.4.1'),
    says: 'An append without an offset is answered 400, and nothing counts.',
    steps: [
      open('a', 'hello'),
      {
        ...ask('PATCH', '{a}', { status: 400 }, { body: text('x') }),
        request: {
          method: 'PATCH',
          to: '{a}',
          headers: {
            ...interop,
            'Content-Type': 'application/partial-upload',
            'Upload-Complete': '?0',
          },
          body: text('x'),
        },
      },
      standsAt('a', 5),
    ],
  },
  {
    id: 'no-completeness',
    from: { newest: convention('4.4.1') },
    says: 'An append that does not say whether it completes the upload is answered 400.',
    steps: [
      open('a', 'hello'),
      ask(
        'PATCH',
        '{a}',
        { status: 400 },
        {
          body: text('x'),
          headers: { 'Content-Type': 'application/partial-upload', 'Upload-Offset': '5' },
        },
      ),
      standsAt('a', 5),
    ],
  },
  ...['-5', 'five', '5.0', '"5"', '5, 5'].map(
    (value): IetfRow => ({
      id: `offset-ignored ${value}`,
      from: { '5': convention('8.1'), '6': convention('8.1'), newest: must('4.1.1') },
      says: `An Upload-Offset of ${value} is ignored: nothing is appended.`,
      steps: [
        open('a', 'hello'),
        append('a', value, '?0', 'x', { status: '4xx' }),
        standsAt('a', 5),
      ],
    }),
  ),
  ...['1', 'true', '?2'].map(
    (value): IetfRow => ({
      id: `completeness-ignored ${value}`,
      from: { newest: must('4.1.2') },
      says: `An Upload-Complete of ${value} is ignored: it completes nothing.`,
      steps: [
        open('a', 'hello'),
        append('a', 5, '?0', '', {}, { headers: { 'Upload-Complete': value } }),
        standsAt('a', 5, '?0'),
      ],
    }),
  ),
  {
    id: 'parameters',
    from: { newest: must('4.1.1') },
    says: 'Parameters of structured fields change nothing.',
    steps: [
      open('a', 'hello'),
      append('a', '5;a=b', '?0', 'x', success, { headers: { 'Upload-Complete': '?0;c' } }),
      standsAt('a', 6),
    ],
  },
  {
    id: 'unknown',
    from: { '5': must('6'), '6': must('6'), newest: convention('4.4.1') },
    says: 'An append to an upload that is not there is answered 404.',
    steps: [
      open('a'),
      ask('PATCH', '{a}x', { status: 404 }, { body: text('x'), headers: appending(0, '?0') }),
    ],
  },
  {
    id: 'cancelled',
    from: { '5': must('6'), '6': must('6'), newest: should('4.5.2') },
    says: 'An append to an upload that was cancelled is answered 404.',
    needs: ['ietf:cancellation'],
    steps: [open('a'), cancel('a', success), append('a', 0, '?0', 'x', { status: 404 })],
  },
]
