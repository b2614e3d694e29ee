/** Digests of what is sent (RFC 9530; draft, Integrity Digests). */
import { type Digests, parseDigests, parseWanted } from '../digest-fields.ts'
import { digestMismatch } from '../errors.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { Verification } from '../requests/verification.ts'
import type { DigestWishes } from '../upload.ts'

const contentField = 'Content-Digest'

/**
 * What the content of a request has to be; undefined when it does not say, or in algorithms that
 * nobody here knows.
 * @throws AppError `bad-header` (400)
 */
export function readContentDigest(request: UploadRequest): Verification | undefined {
  const field = request.header(contentField)
  if (field === undefined) return undefined
  const digests = parseDigests(contentField, field)
  if (digests.size === 0) return undefined
  return new Verification(digests.keys(), (digestOf) => {
    for (const [algorithm, digest] of digests) {
      if (!digestOf(algorithm).equals(digest)) throw digestMismatch(contentField)
    }
  })
}

/** What the whole of the upload has to be, and what its client wants to hear of it. */
export function readDigestWishes(request: UploadRequest): DigestWishes {
  const expected = request.header('Repr-Digest')
  const wanted = request.header('Want-Repr-Digest')
  const given: Digests = expected === undefined ? new Map() : parseDigests('Repr-Digest', expected)
  const algorithm = wanted === undefined ? undefined : parseWanted(wanted)
  return {
    expected: given.size > 0 ? expected : undefined,
    wanted: algorithm === undefined ? undefined : wanted,
  }
}
