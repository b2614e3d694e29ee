import { parse as parseDisposition } from 'content-disposition'
import { badHeader, inconsistentLength } from '../errors.ts'
import { rateFields } from '../limits/rate.ts'
import { contentTypeOf, filenameOf } from '../metadata.ts'
import type { Answer } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { UploadRequest } from '../protocol/request.ts'
import type { Ending } from '../requests/take-bytes.ts'
import { readMetadata } from '../tus/metadata.ts'
import { completenessOf, readCompleteness } from './completeness.ts'
import { readContentDigest, readDigestWishes } from './digests.ts'
import { readInteger } from './fields.ts'
import { InterimAnswers } from './interim.ts'
import { limitsOf } from './limits.ts'
import type { InteropVersion } from './versions.ts'

/** Upload Creation: a POST with `Upload-Complete`. */
export function createMethod({ begin, locations, maxSize }: DialectDependencies) {
  return async (request: UploadRequest, version: InteropVersion): Promise<Answer> => {
    const owner = request.visitor.requireUser()
    const { isComplete, length, ending } = readExtent(request, version, 0)
    const wish = { owner: owner.id, dialect: 'ietf', length, ending, ...readFile(request) }
    const interim = new InterimAnswers(request, version)
    const begun = await begin(wish, request.bytes(readContentDigest(request)), {
      onBegun: (id, expiresAt) =>
        interim.send({
          Location: locations.of(request, id),
          ...limitsOf(version, maxSize, expiresAt),
        }),
      onProgress: (offset) => interim.progress(offset),
    })
    return {
      status: 201,
      headers: {
        Location: locations.of(request, begun.id),
        ...completenessOf(version, isComplete),
        'Upload-Offset': String(begun.offset),
        ...limitsOf(version, maxSize, begun.stored ? undefined : begun.expiresAt),
        ...(begun.reprDigest && { 'Repr-Digest': begun.reprDigest }),
        ...rateFields(begun.rate),
      },
    }
  }
}

interface Extent {
  /** Whether the upload is complete with this request. */
  readonly isComplete: boolean
  /** Of the upload, as far as it is said. */
  readonly length: number | undefined
  readonly ending: Ending
}

/**
 * How far the content of a request goes, that begins at an offset (draft, Completeness and Length).
 * @throws AppError `bad-header`, `inconsistent-length` (400)
 */
export function readExtent(request: UploadRequest, version: InteropVersion, from: number): Extent {
  const isComplete = readCompleteness(request, version)
  if (isComplete === undefined) throw badHeader(`${version.completeness} is required: ?0 or ?1.`)
  const declared = readInteger(request, 'Upload-Length')
  if (!isComplete) return { isComplete, length: declared, ending: 'later' }
  if (request.isChunked) return { isComplete, length: declared, ending: 'end-of-request' }
  const length = from + (request.wholeNumber('Content-Length') ?? 0)
  if ((declared ?? length) !== length) throw inconsistentLength()
  return { isComplete, length, ending: 'last-byte' }
}

/** What the request says of the file (RFC 9110, 8.3; RFC 6266). */
function readFile(request: UploadRequest) {
  const { metadata, filename, contentType } = readTusMetadata(request)
  return {
    metadata,
    filename: filenameOf({ filename: dispositionName(request) }) ?? filename,
    contentType: contentType ?? contentTypeOf({ type: request.contentType ?? null }),
    digests: readDigestWishes(request),
  }
}

/** tus-js-client names files as in tus, whichever protocol it speaks. The draft knows nothing of it. */
function readTusMetadata(request: UploadRequest): Partial<ReturnType<typeof readMetadata>> {
  try {
    return readMetadata(request)
  } catch {
    return {}
  }
}

/** A malformed field says nothing. */
function dispositionName(request: UploadRequest): string | null {
  const field = request.header('Content-Disposition')
  if (field === undefined) return null
  try {
    return parseDisposition(field).parameters.filename ?? null
  } catch {
    return null
  }
}
