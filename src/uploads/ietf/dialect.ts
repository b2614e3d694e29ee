import { AppError } from '../../errors.ts'
import { badHeader, OffsetMismatchError } from '../errors.ts'
import type { Answer } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import { type Dialect, methodNotAllowed } from '../protocol/handler.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { findReached, isNotReached } from '../protocol/visitor.ts'
import { appendMethod, uploadIsComplete } from './append.ts'
import { completenessOf } from './completeness.ts'
import { createMethod } from './create.ts'
import { readInteger } from './fields.ts'
import { limitsOf } from './limits.ts'
import { problem } from './problems.ts'
import { type InteropVersion, versionOf } from './versions.ts'

const versionField = 'Upload-Draft-Interop-Version'

/** Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload), in the versions of `versions.ts`. */
export function createIetfDialect(dependencies: DialectDependencies): Dialect {
  const { locations, maxSize, queries, remove } = dependencies
  const create = createMethod(dependencies)
  const append = appendMethod(dependencies)
  const retrieve = offsetMethod(dependencies)

  async function appendTo(request: UploadRequest, version: InteropVersion, id: string) {
    try {
      return await append(request, version, id)
    } catch (error) {
      if (!(error instanceof AppError) || error.status >= 500 || isNotReached(error)) throw error
      const upload = await findReached(queries, id, request.visitor)
      const isComplete = upload?.state === 'stored'
      const isOver = isComplete && !(error instanceof OffsetMismatchError && version.repeatsFinal)
      const offset = upload?.state === 'receiving' ? upload.offset : undefined
      return refusal(isOver ? uploadIsComplete() : error, request, version, offset)
    }
  }

  async function cancel(request: UploadRequest, version: InteropVersion, id: string) {
    requireNone(request, version)
    const { reach } = request.visitor
    if (!(await remove(id, request.gone, reach))) await reach(undefined)
    return { status: 204 }
  }

  function refusal(
    error: AppError,
    request: UploadRequest,
    version: InteropVersion,
    offset?: number,
  ): Answer {
    const told = problem(error, version)
    const headers = {
      ...told.headers,
      ...(error.status === 405 && { Allow: locations.methodsAt(request) }),
      ...(error.status === 413 && limitsOf(version, maxSize, undefined)),
      ...(offset !== undefined && { 'Upload-Offset': String(offset) }),
    }
    return { ...told, headers }
  }

  return {
    speaks: (request) =>
      request.header('Upload-Complete') !== undefined || request.header(versionField) !== undefined,
    async answer(request) {
      const version = versionOf(readInteger(request, versionField))
      const id = locations.idIn(request)
      if (id === undefined) {
        if (request.method === 'POST') return create(request, version)
      } else if (request.method === 'HEAD' || request.method === 'GET') {
        return retrieve(request, version, id)
      } else if (request.method === 'PATCH') return appendTo(request, version, id)
      else if (request.method === 'DELETE') return cancel(request, version, id)
      throw methodNotAllowed()
    },
    refuse: (error, request) =>
      refusal(error, request, versionOf(readInteger(request, versionField))),
  }
}

/** Offset Retrieval: where an upload stands. */
function offsetMethod({ look, maxSize }: DialectDependencies) {
  return async (request: UploadRequest, version: InteropVersion, id: string): Promise<Answer> => {
    requireNone(request, version)
    const upload = await look(id, request.gone, request.visitor.reach)
    const { offset, length, digests, expiresAt } = upload
    const isComplete = upload.state === 'stored'
    return {
      status: 204,
      headers: {
        'Cache-Control': 'no-store',
        ...completenessOf(version, isComplete),
        'Upload-Offset': String(offset),
        ...(length !== undefined && { 'Upload-Length': String(length) }),
        ...limitsOf(version, maxSize, expiresAt),
        ...(isComplete && digests.expected && { 'Repr-Digest': digests.expected }),
      },
    }
  }
}

/** @throws AppError `bad-header` (400) for fields that a request about the state must not have. */
function requireNone(request: UploadRequest, { forbidden }: InteropVersion): void {
  for (const name of forbidden) {
    if (request.header(name) !== undefined) throw badHeader(`${name} has no place in this request.`)
  }
}
