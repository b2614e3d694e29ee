/** IETF resumable uploads with RFC 9530 digests. The first text, interop version 5, has none. */
import { atMost, matches, optional } from '../engine/matchers.ts'
import { convention, type Expected, must, should } from '../engine/row.ts'
import { append, create, type IetfRow, ietfTables, look, open, standsAt } from './ietf-steps.ts'
import { hash, holds, pattern, text } from './tus-steps.ts'

const success = { status: '2xx' } as const
const refused = { status: '4xx' } as const
const names = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const
type Algorithm = keyof typeof names

const field = (algorithm: Algorithm, bytes: string | Buffer) =>
  `${algorithm}=:${hash(names[algorithm], bytes)}:`
const content = (bytes: string | Buffer, algorithm: Algorithm = 'sha-256') => ({
  'Content-Digest': field(algorithm, bytes),
})
const whole = (bytes: string | Buffer, algorithm: Algorithm = 'sha-256') => ({
  'Repr-Digest': field(algorithm, bytes),
})
const has = (digest: string): Expected => ({
  ...success,
  headers: { 'Repr-Digest': matches(new RegExp(escaped(digest)), digest) },
})
const wants = { 'Want-Repr-Digest': 'sha-256=10, sha-512=1' }

function escaped(value: string): string {
  return value.replace(/[+*?.()[\]{}|^$\\]/g, '\\$&')
}

const contentRows: IetfRow[] = [
  ...(['sha-256', 'sha-512'] as const).flatMap((algorithm): IetfRow[] => [
    {
      id: `content-right ${algorithm}`,
      from: { '6': should('15.2'), newest: should('10.2') },
      says: `An append with the ${algorithm} of its content is taken.`,
      steps: [
        open('a', 'hello'),
        append('a', 5, '?1', ' world', success, { headers: content(' world', algorithm) }),
        holds('a', 'hello world'),
      ],
    },
    {
      id: `content-wrong ${algorithm}`,
      from: { '6': should('15.2'), newest: should('10.2') },
      says: `An append with another ${algorithm} is refused, and its content is not appended.`,
      steps: [
        open('a', 'hello'),
        append('a', 5, '?1', ' world', refused, { headers: content('other', algorithm) }),
        standsAt('a', 5, '?0'),
        append('a', 5, '?1', ' WORLD', success, { headers: content(' WORLD', algorithm) }),
        holds('a', 'hello WORLD'),
      ],
    },
  ]),
  {
    id: 'content-wrong-large',
    from: { '6': should('15.2'), newest: should('10.2') },
    says: 'So are several megabytes.',
    steps: [
      open('a', 'hello'),
      append('a', 5, '?0', pattern(12_000_000), refused, { headers: content('other') }),
      standsAt('a', 5, '?0'),
    ],
  },
  {
    id: 'content-creation-right',
    from: { '6': should('15.2'), newest: should('10.2') },
    says: 'A creation with the digest of its content is taken.',
    steps: [
      create('a', '?1', success, { body: text('hello'), headers: content('hello') }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'content-creation-wrong',
    from: { '6': should('15.2'), newest: should('10.2') },
    says: 'A creation with another digest is refused, and its content is not appended.',
    needs: ['ietf:resumption'],
    steps: [
      create('a', '?1', refused, { body: text('hello'), headers: content('other') }),
      look('a', {
        headers: { 'Upload-Offset': optional(atMost('0')), 'Upload-Complete': optional('?0') },
      }),
    ],
  },
  {
    id: 'content-status',
    from: { '6': convention('15.2'), newest: convention('10.2') },
    says: 'A wrong digest is answered 400.',
    steps: [
      open('a'),
      append('a', 0, '?0', 'hello', { status: 400 }, { headers: content('other') }),
    ],
  },
  {
    id: 'content-unknown',
    from: { '6': convention('15.2'), newest: convention('10.2') },
    says: 'A digest by an algorithm that is not known is ignored.',
    steps: [
      open('a'),
      append('a', 0, '?0', 'hello', success, { headers: { 'Content-Digest': 'foo=:aGVsbG8=:' } }),
      standsAt('a', 5),
    ],
  },
  {
    id: 'content-several',
    from: { '6': should('15.2'), newest: should('10.2') },
    says: 'Of several digests all have to be right.',
    steps: [
      open('a'),
      append('a', 0, '?0', 'hello', refused, {
        headers: { 'Content-Digest': `${field('sha-256', 'hello')}, ${field('sha-512', 'other')}` },
      }),
      standsAt('a', 0),
    ],
  },
  ...['nonsense', 'sha-256=aGVsbG8=', 'sha-256=:aGVsbG8=:'].map(
    (value): IetfRow => ({
      id: `content-malformed ${value}`,
      from: { '6': convention('15.2'), newest: convention('10.2') },
      says: `A Content-Digest of ${value} is answered 400, and nothing counts.`,
      steps: [
        open('a'),
        append('a', 0, '?0', 'hello', { status: 400 }, { headers: { 'Content-Digest': value } }),
        standsAt('a', 0),
      ],
    }),
  ),
]

const wholeRows: IetfRow[] = [
  {
    id: 'whole-right',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'An upload whose digest was told at its creation is complete when it is right.',
    steps: [
      open('a', 'hello', whole('hello world')),
      append('a', 5, '?1', ' world', success),
      standsAt('a', 11, '?1'),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'whole-right-at-once',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'So is an upload that comes with its creation.',
    steps: [
      create('a', '?1', success, { body: text('hello'), headers: whole('hello', 'sha-512') }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'whole-wrong',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'When it is wrong the failure is signalled, and the upload is not complete.',
    steps: [
      open('a', 'hello', whole('other')),
      append('a', 5, '?1', ' world', refused),
      look('a', { headers: { 'Upload-Complete': optional('?0') } }),
    ],
  },
  {
    id: 'whole-wrong-at-once',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'So it is with an upload that comes with its creation.',
    steps: [create('a', '?1', refused, { body: text('hello'), headers: whole('other') })],
  },
  {
    id: 'whole-wrong-not-processed',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'Its content is not to be had.',
    steps: [
      open('a', 'hello', whole('other')),
      append('a', 5, '?1', ' world', refused),
      { kind: 'content', of: 'a' },
    ],
  },
  {
    id: 'whole-wrong-failed',
    from: { '6': must('6') },
    says: 'An upload that failed so is not active any more: it is answered 404.',
    steps: [
      open('a', 'hello', whole('other')),
      append('a', 5, '?1', ' world', refused),
      look('a', { status: 404 }),
    ],
  },
  {
    id: 'whole-wrong-failed',
    from: { newest: convention('10.1') },
    says: 'An upload that failed so cannot be continued.',
    steps: [
      open('a', 'hello', whole('other')),
      append('a', 5, '?1', ' world', refused),
      append('a', 5, '?1', ' world', refused),
    ],
  },
]

const wantRows: IetfRow[] = [
  {
    id: 'want-at-once',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'A creation that asks for the digest is answered with it.',
    steps: [
      create('a', '?1', has(field('sha-256', 'hello')), { body: text('hello'), headers: wants }),
    ],
  },
  {
    id: 'want-later',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'An upload whose creation asked for the digest tells it when it is complete.',
    steps: [
      open('a', 'hello', wants),
      append('a', 5, '?1', ' world', has(field('sha-256', 'hello world'))),
    ],
  },
  {
    id: 'want-preferred',
    from: { '6': should('15.1'), newest: should('10.1') },
    says: 'The digest is by the algorithm that the client prefers.',
    steps: [
      open('a', 'hello', { 'Want-Repr-Digest': 'sha-256=1, sha-512=9' }),
      append('a', 5, '?1', ' world', has(field('sha-512', 'hello world'))),
    ],
  },
]

export const ietfDigests = ietfTables('ietf-digests', [...contentRows, ...wholeRows, ...wantRows])
