/** tus 1.0.0, "Checksum": checksums that come after the body. */
import { absent, lists } from '../engine/matchers.ts'
import { convention, must, type Row } from '../engine/row.ts'
import {
  begun,
  bytesType,
  created,
  hash,
  holds,
  options,
  patch,
  pattern,
  send,
  stands,
  text,
  tusTable,
  version,
} from './tus-steps.ts'

const after = (bytes: Buffer | string, algorithm = 'sha1') => ({
  trailers: { 'Upload-Checksum': `${algorithm} ${hash('sha1', bytes)}` },
})
const right = { status: 204 } as const
const refused = { status: '4xx' } as const
const promised = { Trailer: 'Upload-Checksum' }
const creating = { ...version, ...bytesType, 'Upload-Length': '5' }

const rows: Row[] = [
  {
    id: 'advertised',
    from: must('Checksum'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('checksum-trailer') } })],
  },
  {
    id: 'right',
    from: must('Checksum'),
    says: 'Bytes whose checksum follows them are taken when it is theirs.',
    steps: [
      begun('a', 5),
      patch('a', 0, text('hello'), right, {}, after('hello')),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'wrong',
    from: must('Checksum'),
    says: 'Bytes that another checksum follows are discarded; the offset is not updated.',
    steps: [
      begun('a', 5),
      patch('a', 0, text('hello'), refused, {}, after('other')),
      stands('a', 0),
      patch('a', 0, text('HELLO'), right, {}, after('HELLO')),
      holds('a', 'HELLO'),
    ],
  },
  {
    id: 'wrong-large',
    from: must('Checksum'),
    says: 'So are several megabytes.',
    steps: [
      begun('a', 6_000_000),
      patch('a', 0, pattern(6_000_000), refused, {}, after('other')),
      stands('a', 0),
      patch('a', 0, pattern(6_000_000), right, {}, after(pattern(6_000_000))),
      holds('a', pattern(6_000_000)),
    ],
  },
  {
    id: 'unknown',
    from: must('Checksum'),
    says: 'Bytes that a checksum by an unknown algorithm follows are discarded.',
    steps: [
      begun('a', 5),
      patch('a', 0, text('hello'), refused, {}, after('hello', 'foo')),
      stands('a', 0),
    ],
  },
  {
    id: 'wrong-status',
    from: convention('Checksum'),
    says: 'A mismatch is answered 460.',
    steps: [begun('a', 5), patch('a', 0, text('hello'), { status: 460 }, {}, after('other'))],
  },
  {
    id: 'unknown-status',
    from: convention('Checksum'),
    says: 'An algorithm that is not supported is answered 400.',
    steps: [
      begun('a', 5),
      patch('a', 0, text('hello'), { status: 400 }, {}, after('hello', 'foo')),
    ],
  },
  {
    id: 'missing',
    from: convention('Checksum'),
    says: 'Bytes that no checksum follows though one was announced are answered 400; none counts.',
    steps: [
      begun('a', 5),
      patch('a', 0, text('hello'), { status: 400 }, promised, { chunked: true }),
      stands('a', 0),
    ],
  },
  {
    id: 'post-right',
    from: convention('Checksum'),
    says: 'A creation’s bytes may be followed by their checksum.',
    needs: ['creation-with-upload'],
    steps: [
      send('POST', '{target}', creating, created, {
        as: 'a',
        body: text('hello'),
        ...after('hello'),
      }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'post-wrong',
    from: convention('Checksum'),
    says: 'A creation whose bytes another checksum follows is answered 460 and makes nothing.',
    needs: ['creation-with-upload'],
    steps: [
      send(
        'POST',
        '{target}',
        creating,
        { status: 460, headers: { Location: absent } },
        { as: 'a', body: text('hello'), ...after('other') },
      ),
    ],
  },
]

export const tusChecksumTrailer = tusTable(
  'tus-checksum-trailer',
  ['creation', 'checksum-trailer'],
  rows,
)
