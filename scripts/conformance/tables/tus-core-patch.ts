/** tus 1.0.0, "Core Protocol": PATCH. */
import { atMost } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  begun,
  bytesType,
  each,
  filled,
  head,
  headUntil,
  holds,
  patch,
  patchHeaders,
  pattern,
  send,
  stands,
  text,
  version,
  whole,
} from './tus-steps.ts'

export const patchRows: Row[] = [
  {
    id: 'patch-applies',
    from: should('Core/PATCH'),
    says: 'PATCH applies its bytes at the offset that it tells.',
    steps: [
      ...filled('a', 11, 'hello'),
      patch('a', 5, text(' world')),
      stands('a', 11),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'patch-status',
    from: must('Core/PATCH'),
    says: 'A PATCH that succeeds is answered 204.',
    steps: [begun('a', 10), patch('a', 0, text('hello'), { status: 204 })],
  },
  {
    id: 'patch-offset',
    from: must('Core/PATCH'),
    says: 'The answer to PATCH tells the new offset: the one before and the bytes received.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hel'), { headers: { 'Upload-Offset': '3' } }),
      patch('a', 3, text('lo'), { headers: { 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'patch-empty',
    from: must('Core/PATCH'),
    says: 'A PATCH without bytes succeeds and leaves the offset as it is.',
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', 5, text(''), { status: 204, headers: { 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'patch-chunked',
    from: must('Core/PATCH'),
    says: 'A PATCH whose length is not told beforehand counts the bytes that came.',
    steps: [
      begun('a', 5),
      patch(
        'a',
        0,
        text('hello'),
        { status: 204, headers: { 'Upload-Offset': '5' } },
        {},
        { chunked: true },
      ),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'patch-large',
    from: must('Core/PATCH'),
    says: 'Several megabytes in uneven pieces arrive as they were sent.',
    steps: [
      begun('a', 7_000_003),
      patch('a', 0, pattern(7_000_003).subarray(0, 5_500_001)),
      patch('a', 5_500_001, pattern(7_000_003).subarray(5_500_001)),
      holds('a', pattern(7_000_003)),
    ],
  },
  ...each(['text/plain', 'application/octet-stream'], (type) => ({
    id: `patch-content-type ${type}`,
    from: should('Core/PATCH'),
    says: `A PATCH of type ${type} is answered 415, and nothing of it counts.`,
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), { status: 415 }, { 'Content-Type': type }),
      stands('a', 0),
    ],
  })),
  {
    id: 'patch-no-content-type',
    from: should('Core/PATCH'),
    says: 'A PATCH without a content type is answered 415, and nothing of it counts.',
    steps: [
      begun('a', 10),
      send(
        'PATCH',
        '{a}',
        { ...version, 'Upload-Offset': '0' },
        { status: 415 },
        { body: text('hello') },
      ),
      stands('a', 0),
    ],
  },
  ...each([3, 7], (offset) => ({
    id: `patch-mismatch ${offset}`,
    from: must('Core/PATCH'),
    says: `A PATCH at ${offset} of an upload that stands at 5 is 409, and nothing is modified.`,
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', offset, text('xxx'), { status: 409 }),
      stands('a', 5),
      patch('a', 5, text('world')),
      holds('a', 'helloworld'),
    ],
  })),
  {
    id: 'patch-unknown',
    from: should('Core/PATCH'),
    says: 'A PATCH of an upload that is not there is answered 404.',
    steps: [
      begun('a', 10),
      send('PATCH', '{a}x', patchHeaders(0), { status: 404 }, { body: text('hello') }),
    ],
  },
  ...each(['-1', '+0', '0.0', '0e0', '0x0', 'none', ''], (offset) => ({
    id: `patch-bad-offset ${offset || 'empty'}`,
    from: convention('Core/Upload-Offset'),
    says: `A PATCH whose offset is "${offset}" is answered 400.`,
    steps: [begun('a', 10), patch('a', offset, text('hello'), { status: 400 }), stands('a', 0)],
  })),
  {
    id: 'patch-no-offset',
    from: convention('Core/PATCH'),
    says: 'A PATCH without an offset is answered 400.',
    steps: [
      begun('a', 10),
      send('PATCH', '{a}', { ...version, ...bytesType }, { status: 400 }, { body: text('hello') }),
      stands('a', 0),
    ],
  },
  {
    id: 'patch-huge-offset',
    from: convention('Core/Upload-Offset'),
    says: 'An offset beyond all numbers is the client’s mistake.',
    steps: [
      begun('a', 10),
      patch('a', '99999999999999999999999', text('hello'), { status: '4xx' }),
      stands('a', 0),
    ],
  },
  ...each([false, true], (chunked) => ({
    id: `patch-beyond-length${chunked ? ' chunked' : ''}`,
    from: convention('Core/PATCH'),
    says: `More bytes than the length${chunked ? ', in chunks,' : ''} are refused; none counts beyond it.`,
    steps: [
      begun('a', 4),
      patch('a', 0, text('0123456789'), { status: [413, 400] }, {}, { chunked }),
      head('a', { headers: { 'Upload-Offset': atMost('4'), 'Upload-Length': '4' } }),
    ],
  })),
  {
    id: 'patch-complete',
    from: convention('Core/PATCH'),
    says: 'Bytes for an upload that is complete are refused, and it stays as it is.',
    steps: [
      ...whole('a', 'hello'),
      patch('a', 5, text('more'), { status: '4xx' }),
      stands('a', 5),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'patch-expect',
    from: convention('Core/PATCH'),
    says: 'A client that waits for 100 (Continue) gets it.',
    steps: [
      begun('a', 5),
      patch(
        'a',
        0,
        text('hello'),
        { status: 204, interim: [{ status: 100, which: 'some' }] },
        { Expect: '100-continue' },
      ),
    ],
  },
]

/** Requests that broke off. */
export const brokenRows: Row[] = [
  {
    id: 'cut-stores',
    from: should('Core/PATCH'),
    says: 'What arrived of a PATCH that broke off is stored: all of it.',
    steps: [
      begun('a', 400_000),
      {
        kind: 'begin',
        call: 'broken',
        request: { method: 'PATCH', to: '{a}', headers: patchHeaders(0), body: pattern(400_000) },
        sent: 150_000,
      },
      { kind: 'cut', call: 'broken' },
      headUntil('a', { status: [200, 204], headers: { 'Upload-Offset': '150000' } }),
    ],
  },
  {
    id: 'cut-continues',
    from: should('Core/PATCH'),
    says: 'An upload goes on where it broke off, and arrives as it was sent.',
    steps: [
      begun('a', 400_000),
      {
        kind: 'begin',
        call: 'broken',
        request: { method: 'PATCH', to: '{a}', headers: patchHeaders(0), body: pattern(400_000) },
        sent: 150_000,
      },
      { kind: 'cut', call: 'broken' },
      {
        ...headUntil('a', { headers: { 'Upload-Offset': '150000' } }),
        remember: { name: 'offset', header: 'Upload-Offset' },
      },
      patch('a', '{offset}', pattern(400_000).subarray(150_000)),
      holds('a', pattern(400_000)),
    ],
  },
]
