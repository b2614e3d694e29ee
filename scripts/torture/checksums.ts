/** What a client says of the bytes it sends: their digest, and now and then a wrong one. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Random } from '../../test/support/random.ts'

/** `wrong`: the digest is not that of the bytes, and they must not count. */
export type Claim = 'none' | 'right' | 'wrong'

const tusAlgorithms = ['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const
type Algorithm = (typeof tusAlgorithms)[number]

/** Names of RFC 9530. */
const fieldNames = { 'sha-256': 'sha256', 'sha-512': 'sha512', md5: 'md5', sha: 'sha1' } as const
const fieldAlgorithms = Object.keys(fieldNames) as (keyof typeof fieldNames)[]

/** Bytes that can be read as often as need be. */
export type Reread = () => Iterable<Buffer>

export interface Claimed {
  /** What is sent. */
  readonly bytes: Iterable<Buffer>
  /** The digest that is said to be theirs. */
  readonly value: string
}

/** `Upload-Checksum` of tus, in any algorithm. */
export function claimChecksum(random: Random, read: Reread, claim: Claim): Claimed {
  const algorithm = random.pick(tusAlgorithms)
  const { bytes, digest } = claimed(random, read, claim, algorithm)
  return { bytes, value: `${algorithm} ${digest.toString('base64')}` }
}

/** `Content-Digest` of RFC 9530, in any algorithm. */
export function claimDigest(random: Random, read: Reread, claim: Claim): Claimed {
  const name = random.pick(fieldAlgorithms)
  const { bytes, digest } = claimed(random, read, claim, fieldNames[name])
  return { bytes, value: `${name}=:${digest.toString('base64')}:` }
}

/** What is wrong is either the digest, or one bit of the bytes, as by a network that does harm. */
function claimed(random: Random, read: Reread, claim: Claim, algorithm: Algorithm) {
  const digest = digestOf(algorithm, read())
  if (claim !== 'wrong') return { bytes: read(), digest }
  if (random.chance(0.5) && !isEmpty(read())) return { bytes: damaged(read()), digest }
  return { bytes: read(), digest: Buffer.concat([...damaged([digest])]) }
}

export function digestOf(algorithm: Algorithm, bytes: Iterable<Buffer>): Buffer {
  if (algorithm !== 'crc32') {
    const hash = createHash(algorithm)
    for (const piece of bytes) hash.update(piece)
    return hash.digest()
  }
  let value = 0
  for (const piece of bytes) value = crc32(piece, value)
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(value)
  return digest
}

/** One bit of the first piece is turned over; the piece itself is left as it is. */
function* damaged(bytes: Iterable<Buffer>): Iterable<Buffer> {
  let isDone = false
  for (const piece of bytes) {
    const copy = Buffer.from(piece)
    const at = copy.length >> 1
    if (!isDone && copy.length > 0) copy.writeUInt8(copy.readUInt8(at) ^ 4, at)
    isDone ||= copy.length > 0
    yield copy
  }
}

function isEmpty(bytes: Iterable<Buffer>): boolean {
  for (const piece of bytes) if (piece.length > 0) return false
  return true
}
