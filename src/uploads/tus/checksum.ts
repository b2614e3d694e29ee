/** Checksums over the body of one request (tus: Checksum). */
import { AppError } from '../../errors.ts'
import { badHeader, digestMismatch } from '../errors.ts'
import { headerOf, type UploadRequest } from '../protocol/request.ts'
import { type Algorithm, algorithms, digestSizes } from '../requests/hashes.ts'
import { Verification } from '../requests/verification.ts'

const field = 'Upload-Checksum'

export interface Checksum {
  readonly algorithm: Algorithm
  readonly digest: Buffer
}

/**
 * What the body of a request has to be, by its header or by the trailer it announces; undefined when
 * it says nothing.
 * @throws AppError `bad-header`, `unsupported-checksum` (400), before anything of the body is read.
 */
export function readChecksum(request: UploadRequest): Verification | undefined {
  const sent = request.header(field)
  if (sent !== undefined) {
    const checksum = parseChecksum(sent)
    return new Verification([checksum.algorithm], (digestOf) => compare(checksum, digestOf))
  }
  if (!isAnnounced(request)) return undefined
  // Which algorithm it is will only be known at the end.
  return new Verification(algorithms, (digestOf) => {
    const trailer = headerOf(request.incoming.trailers, field)
    if (trailer === undefined) throw malformed('it was announced as a trailer and did not come')
    compare(parseChecksum(trailer), digestOf)
  })
}

/** @throws AppError `bad-header`, `unsupported-checksum` (400) */
export function parseChecksum(text: string): Checksum {
  const [, name, base64 = ''] = /^([^ ]+) ([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  if (name === undefined) throw malformed('it has to be an algorithm and a digest in Base64')
  const algorithm = algorithms.find((each) => each === name)
  if (!algorithm) {
    const message = `${field} can be of these algorithms: ${algorithms.join(', ')}.`
    throw new AppError('unsupported-checksum', 400, message)
  }
  const digest = Buffer.from(base64, 'base64')
  if (digest.length !== digestSizes[algorithm]) throw malformed('the digest has another size')
  return { algorithm, digest }
}

function isAnnounced(request: UploadRequest): boolean {
  const names = request.header('Trailer')?.split(',') ?? []
  return (
    request.isChunked && names.some((name) => name.trim().toLowerCase() === field.toLowerCase())
  )
}

function compare({ algorithm, digest }: Checksum, digestOf: (each: Algorithm) => Buffer): void {
  if (!digestOf(algorithm).equals(digest)) throw digestMismatch(field, 460)
}

function malformed(reason: string): AppError {
  return badHeader(`${field} cannot be read: ${reason}.`)
}
