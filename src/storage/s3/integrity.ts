/**
 * What protects bytes on their way into S3.
 *
 * Of all that is stored the CRC-32 is computed when it arrives, and sent along, in a header that is
 * part of the signature. A service that knows it refuses other bytes, and answers with the checksum
 * of what it stored; that is compared. Some services give back what they were told without a look
 * at the bytes, so a checksum is believed only once a wrong one was refused, which the start tries
 * out. All others are taken at their ETag, which for most is the MD5 of what was stored: it costs a
 * pass over the bytes, and is compared, too. Where an answer proves nothing at all (an ETag that is
 * no MD5, as with some encryptions), requests are signed together with the SHA-256 of the body from
 * then on.
 *
 * As long as a comparison follows, that SHA-256 is left out of the signature (`UNSIGNED-PAYLOAD`):
 * it is half of the time that storing takes. What is lost is that somebody between us and an
 * endpoint without TLS could change bytes on purpose; against that there is https.
 */
import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { z } from 'zod'

const payloadHash = 'x-amz-content-sha256'
/** Bytes to hash before others get their turn. */
const slice = 2 * 2 ** 20
/** What a service answers when other bytes arrived than were sent. */
const refusals = ['BadDigest', 'XAmzContentChecksumMismatch', 'XAmzContentSHA256Mismatch']

const checked = z.object({ Body: z.instanceof(Buffer), ChecksumCRC32: z.string() })
const answered = z.object({
  ETag: z.string().optional(),
  ChecksumCRC32: z.string().optional(),
  ServerSideEncryption: z.string().optional(),
  SSECustomerAlgorithm: z.string().optional(),
})

interface Call {
  readonly input: object
  readonly request: unknown
}

/** What is known of a service, by all clients of it. */
export interface Trust {
  /** It was seen to refuse bytes that do not have the checksum they came with. */
  verifiesChecksums: boolean
  /** Its answers prove nothing, so the signature covers the bytes. */
  signsBodies: boolean
}

export function noTrust(): Trust {
  return { verifiesChecksums: false, signsBodies: false }
}

/** Whether a call failed because the service has, or was sent, other bytes than it was told. */
export function isMismatch(error: unknown): boolean {
  return error instanceof Error && (refusals.includes(error.name) || error instanceof OtherBytes)
}

class OtherBytes extends Error {
  override readonly name = 'OtherBytes'
}

/** As S3 writes it: the four bytes, in base64. */
export function formatCrc32(crc32: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc32)
  return bytes.toString('base64')
}

/**
 * Makes all calls of a client whose input has a Buffer and its CRC-32 fail, and be tried again,
 * when the answer shows that other bytes were stored.
 */
export function protectBodies(client: S3Client, trust: Trust): void {
  type Handler<C, A> = (call: C) => Promise<A>
  const protect =
    <C extends Call, A extends { output: object }>(next: Handler<C, A>): Handler<C, A> =>
    async (args) => {
      const input = checked.safeParse(args.input).data
      if (!input || !hasHeaders(args.request)) return next(args)
      const { headers } = args.request
      if (trust.signsBodies) delete headers[payloadHash]
      else headers[payloadHash] = 'UNSIGNED-PAYLOAD'
      const result = await next(args).catch((error: unknown) => {
        throw error instanceof Error && isMismatch(error) ? retryable(error) : error
      })
      const proof = await compare(input, answered.parse(result.output), trust)
      if (proof === 'other') {
        throw retryable(new OtherBytes('Storage has other bytes than were sent'))
      }
      if (proof === 'none' && !trust.signsBodies) {
        trust.signsBodies = true
        throw retryable(new Error('The answer does not say what was stored'))
      }
      return result
    }
  client.middlewareStack.addRelativeTo(protect, {
    name: 'protectBodies',
    // Within the retries, so that each attempt is looked at.
    relation: 'before',
    toMiddleware: 'httpSigningMiddleware',
  })
}

async function compare(
  sent: z.infer<typeof checked>,
  stored: z.infer<typeof answered>,
  { verifiesChecksums }: Trust,
): Promise<'same' | 'other' | 'none'> {
  if (stored.ChecksumCRC32 !== undefined) {
    if (stored.ChecksumCRC32 !== sent.ChecksumCRC32) return 'other'
    if (verifiesChecksums) return 'same'
  }
  const [, etag] = /^"?([0-9a-f]{32})"?$/i.exec(stored.ETag ?? '') ?? []
  const isEncrypted = stored.ServerSideEncryption?.startsWith('aws:kms') ?? false
  if (!etag || isEncrypted || stored.SSECustomerAlgorithm) return 'none'
  return (await md5(sent.Body)) === etag.toLowerCase() ? 'same' : 'other'
}

async function md5(bytes: Buffer): Promise<string> {
  const hash = createHash('md5')
  for (let start = 0; start < bytes.length; start += slice) {
    if (start > 0) await turn()
    hash.update(bytes.subarray(start, start + slice))
  }
  return hash.digest('hex')
}

/** Marked as the SDK's retries look for it. */
function retryable(error: Error): Error {
  return Object.assign(error, { $retryable: {} })
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request
}
