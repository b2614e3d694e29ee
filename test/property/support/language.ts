/** How requests are said in the protocols. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Ask } from './client.ts'
import type { Digest, Draft, Speech } from './operations.ts'

/** A request that brings bytes, with all that depends on the upload known. */
export interface Bringing {
  readonly speech: Speech
  /** Undefined for a creation, which brings the first ones. */
  readonly from: number | undefined
  /** Undefined for a request without a body. */
  readonly bytes: Buffer | undefined
  readonly chunked: boolean
  readonly completes: boolean
  /** The length of the upload that it tells. */
  readonly declared: number | undefined
  readonly digest: Digest | undefined
}

const bytesType = 'application/offset+octet-stream'
/** As RFC 9530 calls them; those it does not know are ignored. */
const digestNames: Readonly<Record<string, string>> = {
  sha1: 'sha',
  sha256: 'sha-256',
  sha512: 'sha-512',
  md5: 'md5',
}

export function greeting(speech: Speech): Record<string, string> {
  return speech === 'tus'
    ? { 'Tus-Resumable': '1.0.0' }
    : { 'Upload-Draft-Interop-Version': String(speech) }
}

/** Whether a digest will be looked at, and what comes of it. */
export function verdictOf({ speech, digest, bytes }: Bringing): 'none' | 'right' | 'wrong' {
  if (!digest || !bytes) return 'none'
  if (speech !== 'tus' && !digestNames[digest.algorithm]) return 'none'
  return digest.isRight ? 'right' : 'wrong'
}

export function say(path: string, request: Bringing, more: Record<string, string> = {}): Ask {
  const { speech, from, bytes, chunked, declared } = request
  const inTrailer = speech === 'tus' && request.digest?.inTrailer && bytes !== undefined
  const digest = digestField(request)
  return {
    method: from === undefined ? 'POST' : 'PATCH',
    path,
    body: bytes,
    chunked,
    headers: {
      ...greeting(speech),
      ...(speech === 'tus' ? tusFields(request) : ietfFields(speech, request)),
      ...(from !== undefined && { 'Upload-Offset': String(from) }),
      ...(declared !== undefined && { 'Upload-Length': String(declared) }),
      ...(inTrailer ? { Trailer: 'Upload-Checksum' } : digest),
      ...more,
    },
    ...(inTrailer && { trailers: digest }),
  }
}

function tusFields({ from, bytes, declared }: Bringing): Record<string, string> {
  const isDeferred = from === undefined && declared === undefined
  return {
    ...(bytes && { 'Content-Type': bytesType }),
    ...(isDeferred && { 'Upload-Defer-Length': '1' }),
  }
}

function ietfFields(speech: Draft, { from, completes }: Bringing): Record<string, string> {
  const type = from === undefined || speech < 6 ? 'image/png' : 'application/partial-upload'
  const isTrue = speech === 3 ? !completes : completes
  const name = speech === 3 ? 'Upload-Incomplete' : 'Upload-Complete'
  return { [name]: isTrue ? '?1' : '?0', 'Content-Type': type }
}

function digestField({ speech, digest, bytes }: Bringing): Record<string, string> {
  if (!digest || !bytes) return {}
  const base64 = digestOf(digest, bytes).toString('base64')
  return speech === 'tus'
    ? { 'Upload-Checksum': `${digest.algorithm} ${base64}` }
    : { 'Content-Digest': `${digestNames[digest.algorithm] ?? 'crc32c'}=:${base64}:` }
}

function digestOf({ algorithm, isRight }: Digest, bytes: Buffer): Buffer {
  const told = isRight ? bytes : Buffer.concat([bytes, Buffer.from('not these')])
  if (algorithm !== 'crc32') return createHash(algorithm).update(told).digest()
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(told))
  return digest
}
