/** tus 1.0.0, "Checksum". */
import { crc32 } from 'node:zlib'
import { absent, lists, matches } from '../engine/matchers.ts'
import { convention, must, type Row } from '../engine/row.ts'
import {
  begun,
  bytesType,
  created,
  each,
  filled,
  hash,
  head,
  headUntil,
  holds,
  options,
  patch,
  patchHeaders,
  pattern,
  post,
  stands,
  text,
  tusTable,
} from './tus-steps.ts'

const right = { status: 204 } as const
const mismatch = { status: 460 } as const
const refused = { status: '4xx' } as const

const sum = (algorithm: string, bytes: Buffer | string) => ({
  'Upload-Checksum': `${algorithm} ${digest(algorithm, Buffer.from(bytes))}`,
})

function digest(algorithm: string, bytes: Buffer): string {
  if (algorithm !== 'crc32') return hash(algorithm, bytes)
  const value = Buffer.alloc(4)
  value.writeUInt32BE(crc32(bytes))
  return value.toString('base64')
}

const algorithmRows: Row[] = [
  {
    id: 'advertised',
    from: must('Checksum'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('checksum') } })],
  },
  {
    id: 'algorithms',
    from: must('Checksum/Tus-Checksum-Algorithm'),
    says: 'OPTIONS lists the algorithms, by names in lower case.',
    steps: [
      options({
        headers: {
          'Tus-Checksum-Algorithm': matches(
            /^[!-+\--@[-~]+(\s*,\s*[!-+\--@[-~]+)*$/,
            'a comma-separated list of ASCII names in lower case',
          ),
        },
      }),
    ],
  },
  {
    id: 'sha1',
    from: must('Checksum'),
    says: 'sha1 is among the algorithms.',
    steps: [options({ headers: { 'Tus-Checksum-Algorithm': lists('sha1') } })],
  },
  ...each(['sha1', 'sha256', 'sha512', 'md5', 'crc32'], (algorithm) => ({
    id: `right ${algorithm}`,
    // The text does not say how the number that CRC-32 is becomes bytes.
    from: algorithm === 'crc32' ? convention('Checksum') : must('Checksum'),
    says: `Bytes with their ${algorithm} are taken.`,
    needs: [`checksum:${algorithm}`],
    steps: [
      begun('a', 5),
      patch(
        'a',
        0,
        text('hello'),
        { ...right, headers: { 'Upload-Offset': '5' } },
        sum(algorithm, 'hello'),
      ),
      holds('a', 'hello'),
    ],
  })),
  ...each(['sha1', 'sha256', 'sha512', 'md5', 'crc32'], (algorithm) => ({
    id: `wrong ${algorithm}`,
    from: must('Checksum'),
    says: `Bytes with another ${algorithm} are discarded; the offset is not updated.`,
    needs: [`checksum:${algorithm}`],
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', 5, text('world'), refused, sum(algorithm, 'other')),
      stands('a', 5),
      patch('a', 5, text('WORLD')),
      holds('a', 'helloWORLD'),
    ],
  })),
]

const effectRows: Row[] = [
  {
    id: 'mismatch-status',
    from: convention('Checksum'),
    says: 'A mismatch is answered 460.',
    steps: [begun('a', 10), patch('a', 0, text('hello'), mismatch, sum('sha1', 'other'))],
  },
  {
    id: 'unknown-status',
    from: convention('Checksum'),
    says: 'An algorithm that is not supported is answered 400.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), { status: 400 }, { 'Upload-Checksum': 'foo aGVsbG8=' }),
    ],
  },
  {
    id: 'unknown-discards',
    from: must('Checksum'),
    says: 'Bytes under an algorithm that is not supported are discarded.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), refused, { 'Upload-Checksum': 'foo aGVsbG8=' }),
      stands('a', 0),
    ],
  },
  ...each(['sha1', 'sha1 ', 'sha1 $$$', `sha1 ${hash('md5', 'hello')}`, ''], (value) => ({
    id: `malformed ${value.slice(0, 10).trim() || 'empty'}${value.length > 10 ? ' short' : ''}${value.endsWith(' ') ? ' space' : ''}`,
    from: convention('Checksum/Upload-Checksum'),
    says: `A checksum of "${value}" is answered 400, and nothing counts.`,
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), { status: 400 }, { 'Upload-Checksum': value }),
      stands('a', 0),
    ],
  })),
  {
    id: 'body-only',
    from: must('Checksum/Upload-Checksum'),
    says: 'A checksum is about its own body, not about what came before.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), right, sum('sha1', 'hello')),
      patch('a', 5, text('world'), right, sum('sha1', 'world')),
      holds('a', 'helloworld'),
    ],
  },
  {
    id: 'last-bytes',
    from: must('Checksum'),
    says: 'Last bytes that are discarded do not finish the upload; the right ones do.',
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', 5, text('WORLD'), refused, sum('sha1', 'world')),
      head('a', { headers: { 'Upload-Offset': '5', 'Upload-Length': '10' } }),
      patch('a', 5, text('world'), right, sum('sha1', 'world')),
      holds('a', 'helloworld'),
    ],
  },
  {
    id: 'large-wrong',
    from: must('Checksum'),
    says: 'Several megabytes with another checksum are discarded, all of them.',
    steps: [
      begun('a', 12_000_000),
      patch('a', 0, pattern(12_000_000), refused, sum('sha1', 'other')),
      stands('a', 0),
      patch('a', 0, pattern(12_000_000, 2), right, sum('sha1', pattern(12_000_000, 2))),
      holds('a', pattern(12_000_000, 2)),
    ],
  },
  {
    id: 'chunked',
    from: must('Checksum'),
    says: 'A body whose length is not told beforehand is verified as well.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), refused, sum('sha1', 'other'), { chunked: true }),
      stands('a', 0),
      patch('a', 0, text('hello'), right, sum('sha1', 'hello'), { chunked: true }),
      stands('a', 5),
    ],
  },
  {
    id: 'empty-body',
    from: convention('Checksum'),
    says: 'No bytes have a checksum, too.',
    steps: [begun('a', 10), patch('a', 0, text(''), right, sum('sha1', '')), stands('a', 0)],
  },
  {
    id: 'cut',
    from: convention('Checksum'),
    says: 'Of bytes that broke off before they could be verified, none counts.',
    steps: [
      ...filled('a', 200_005, 'hello'),
      {
        kind: 'begin',
        call: 'broken',
        request: {
          method: 'PATCH',
          to: '{a}',
          headers: patchHeaders(5, sum('sha1', pattern(200_000))),
          body: pattern(200_000),
        },
        sent: 100_000,
      },
      { kind: 'cut', call: 'broken' },
      headUntil('a', { headers: { 'Upload-Offset': '5' } }),
      patch('a', 5, pattern(200_000), right, sum('sha1', pattern(200_000))),
      holds('a', Buffer.concat([text('hello'), pattern(200_000)])),
    ],
  },
]

const creating = { ...bytesType, 'Upload-Length': '5' }

const creationRows: Row[] = [
  {
    id: 'post-right',
    from: convention('Checksum'),
    says: 'A creation may carry a checksum of its bytes.',
    needs: ['creation-with-upload'],
    steps: [
      post('a', { ...creating, ...sum('sha1', 'hello') }, created, text('hello')),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'post-wrong',
    from: convention('Checksum'),
    says: 'A creation whose bytes have another checksum is answered 460 and makes nothing.',
    needs: ['creation-with-upload'],
    steps: [
      post(
        'a',
        { ...creating, ...sum('sha1', 'other') },
        { ...mismatch, headers: { Location: absent } },
        text('hello'),
      ),
    ],
  },
  {
    id: 'post-unknown',
    from: convention('Checksum'),
    says: 'A creation under an algorithm that is not supported is answered 400 and makes nothing.',
    needs: ['creation-with-upload'],
    steps: [
      post(
        'a',
        { ...creating, 'Upload-Checksum': 'foo aGVsbG8=' },
        { status: 400, headers: { Location: absent } },
        text('hello'),
      ),
    ],
  },
]

export const tusChecksum = tusTable(
  'tus-checksum',
  ['creation', 'checksum'],
  [...algorithmRows, ...effectRows, ...creationRows],
)
