/** IETF resumable uploads: odd creations, and those with metadata. */
import { gzipSync } from 'node:zlib'
import { absent, matches, optional } from '../engine/matchers.ts'
import { must, should } from '../engine/row.ts'
import { all, ask, create, type IetfRow, open, standsAt } from './ietf-steps.ts'
import { text } from './tus-steps.ts'

const coded = gzipSync('hello world')
const success = { status: '2xx' } as const

export const otherRows: IetfRow[] = [
  {
    id: 'unique',
    from: { newest: should('4') },
    says: 'Two creations make two upload resources.',
    steps: [open('a', 'one'), open('b', 'other'), standsAt('a', 3), standsAt('b', 5)],
  },
  {
    id: 'no-completeness',
    from: all('convention', '4', '4', '4.2.1'),
    says: 'A creation that does not say whether it completes the upload is answered 400.',
    steps: [
      ask(
        'POST',
        '{target}',
        { status: 400, headers: { Location: absent } },
        { body: text('hello') },
      ),
    ],
  },
  ...['?2', '1', 'true', '"?1"', '?0, ?1'].map(
    (value): IetfRow => ({
      id: `bad-completeness ${value}`,
      from: { newest: must('4.1.2') },
      says: `An Upload-Complete of ${value} is ignored: no resumable upload begins.`,
      steps: [
        ask(
          'POST',
          '{target}',
          {
            headers: { 'Upload-Complete': optional('?0'), 'Upload-Offset': absent },
            interim: [{ status: 104, which: 'none' }],
          },
          { body: text('hello'), headers: { 'Upload-Complete': value } },
        ),
      ],
    }),
  ),
  {
    id: 'parameters',
    from: { newest: must('4.1.2') },
    says: 'Parameters of a structured field change nothing.',
    steps: [
      create('a', '?0', success, { body: text('hello'), headers: { 'Upload-Complete': '?0;a=b' } }),
      standsAt('a', 5),
    ],
  },
  {
    id: 'content-coding',
    from: { '6': must('13'), newest: must('8') },
    says: 'Offset and length count the bytes of coded content as they come.',
    steps: [
      create('a', '?0', success, {
        body: coded,
        headers: { 'Content-Encoding': 'gzip', 'Upload-Length': String(coded.length + 1) },
      }),
      standsAt('a', coded.length),
    ],
  },
  {
    id: 'plain-post',
    from: all('MUST', '4.1', '4.1', '4.2.2'),
    says: 'A POST with nothing of this protocol gets nothing of it either.',
    steps: [
      {
        kind: 'send',
        request: {
          method: 'POST',
          to: '{target}',
          headers: { 'Content-Type': 'text/plain' },
          body: text('hello'),
        },
        expect: {
          headers: { 'Upload-Complete': absent, 'Upload-Offset': absent },
          interim: [{ status: 104, which: 'none' }],
        },
      },
    ],
  },
  {
    id: 'file-name',
    from: all('convention', '4', '4', '4.2.1'),
    says: 'Where content is served with a type and a file name, they are those of the creation.',
    steps: [
      create('a', '?1', success, {
        body: text('hello'),
        headers: {
          'Content-Type': 'text/plain',
          'Content-Disposition': `inline; filename="a b.txt"; filename*=UTF-8''a%20%E2%82%AC.txt`,
        },
      }),
      {
        kind: 'content',
        of: 'a',
        equals: text('hello'),
        headers: {
          'Content-Type': optional(matches(/^text\/plain\b/, 'text/plain')),
          'Content-Disposition': optional(matches(/a%20%E2%82%AC\.txt/, 'the file name')),
        },
      },
    ],
  },
]
