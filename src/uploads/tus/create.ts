import { badHeader } from '../errors.ts'
import { rateFields } from '../limits/rate.ts'
import type { Answer, Method } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { partial } from '../upload.ts'
import { bytesOf, requireBytes } from './bytes.ts'
import { finalMethod } from './concatenate.ts'
import { expires } from './expires.ts'
import { readMetadata } from './metadata.ts'

/**
 * POST: creation, creation-with-upload and creation-defer-length; and concatenation, which begins
 * with it. With bytes it answers when they are recorded, and with all of them when the upload is
 * stored.
 */
export function createMethod(dependencies: DialectDependencies): Method<UploadRequest> {
  const concatenate = finalMethod(dependencies)
  return async (request) => {
    const concat = request.header('Upload-Concat')
    if (concat?.startsWith('final;')) return concatenate(request, concat)
    if (concat !== undefined && concat !== partial) {
      throw badHeader('Upload-Concat has to be "partial", or "final;" and the URLs of the parts.')
    }
    return create(dependencies, request, concat === partial)
  }
}

async function create(
  { begin, locations }: DialectDependencies,
  request: UploadRequest,
  isPartial: boolean,
): Promise<Answer> {
  const owner = request.visitor.requireUser()
  // Some clients name a type with every request; what matters is whether bytes come.
  const bytes = request.mayHaveContent ? requireBytes(request) : bytesOf(request)
  const wish = {
    owner: owner.id,
    dialect: 'tus',
    length: readLength(request),
    isPartial,
    ending: 'last-byte',
    ...readMetadata(request),
  } as const
  const { id, offset, stored, expiresAt, rate } = await begin(wish, bytes)
  return {
    status: 201,
    headers: {
      Location: locations.of(request, id),
      ...(bytes && { 'Upload-Offset': String(offset) }),
      ...(!stored && expires(expiresAt)),
      ...rateFields(rate),
    },
  }
}

function readLength(request: UploadRequest): number | undefined {
  const length = request.wholeNumber('Upload-Length')
  const deferred = request.header('Upload-Defer-Length')
  if ((length === undefined) === (deferred === undefined)) {
    throw badHeader('Either Upload-Length or Upload-Defer-Length is required.')
  }
  if ((deferred ?? '1') !== '1') throw badHeader('Upload-Defer-Length can only be 1.')
  return length
}
