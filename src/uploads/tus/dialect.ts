import { AppError } from '../../errors.ts'
import type { Answer, Method } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import { type Dialect, methodNotAllowed, retryFieldsOf } from '../protocol/handler.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { findReached, isNotReached } from '../protocol/visitor.ts'
import { algorithms } from '../requests/hashes.ts'
import { createMethod } from './create.ts'
import { expires } from './expires.ts'
import { headMethod } from './head.ts'
import { patchMethod } from './patch.ts'
import { terminateMethod } from './terminate.ts'

const version = '1.0.0'

const extensions = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'checksum-trailer',
  'termination',
  'concatenation',
  'concatenation-unfinished',
]

/** What an OPTIONS request is told (tus: OPTIONS). */
export function tusCapabilities(maxSize: number): Record<string, string> {
  return {
    'Tus-Resumable': version,
    'Tus-Version': version,
    'Tus-Extension': extensions.join(','),
    'Tus-Max-Size': String(maxSize),
    'Tus-Checksum-Algorithm': algorithms.join(','),
  }
}

/** tus 1.0 (https://tus.io/protocols/resumable-upload). */
export function createTusDialect(dependencies: DialectDependencies): Dialect {
  const { locations, queries } = dependencies
  const creation = createMethod(dependencies)
  const methods: Readonly<Record<string, Method<TusRequest>>> = {
    HEAD: headMethod(dependencies),
    PATCH: withExpiry(patchMethod(dependencies)),
    DELETE: terminateMethod(dependencies),
  }

  /** Also an answer that refuses says when the upload expires (tus: Expiration). */
  function withExpiry(method: Method<TusRequest>): Method<TusRequest> {
    return async (tusRequest) => {
      try {
        return await method(tusRequest)
      } catch (error) {
        if (!(error instanceof AppError) || error.status >= 500 || isNotReached(error)) throw error
        const { headers, ...answer } = refusal(error, tusRequest.request, locations)
        const upload = await findReached(queries, tusRequest.id, tusRequest.request.visitor)
        return { ...answer, headers: { ...headers, ...expires(upload?.expiresAt) } }
      }
    }
  }

  async function answer(request: UploadRequest): Promise<Answer> {
    requireVersion(request)
    const id = locations.idIn(request)
    const method = id === undefined ? undefined : methods[request.method]
    if (id !== undefined && method) return method({ request, id })
    if (id === undefined && request.method === 'POST') return creation(request)
    throw methodNotAllowed()
  }

  return {
    speaks: (request) => request.header('Tus-Resumable') !== undefined,
    async answer(request) {
      const { status, headers, body } = await answer(request)
      return { status, headers: { 'Tus-Resumable': version, ...headers }, ...(body && { body }) }
    },
    refuse: (error, request) => refusal(forClients(error, request), request, locations),
  }
}

/** A request about an upload. */
export interface TusRequest {
  readonly request: UploadRequest
  readonly id: string
}

function requireVersion(request: UploadRequest): void {
  if (request.header('Tus-Resumable') === version) return
  const need = `Tus-Resumable: ${version} is required, or Upload-Complete for the IETF protocol.`
  throw new AppError('unsupported-version', 412, need)
}

/**
 * Clients give up an upload when HEAD fails in another way than 423 (Locked), so that is what any
 * trouble that passes is called there.
 */
function forClients(error: AppError, { method }: UploadRequest): AppError {
  if (method !== 'HEAD' || error.status < 500) return error
  return new AppError('try-again', 423, 'The upload cannot be looked at just now.', {
    cause: error,
    ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter }),
  })
}

function refusal(
  error: AppError,
  request: UploadRequest,
  locations: DialectDependencies['locations'],
): Answer {
  return {
    status: error.status,
    headers: {
      'Tus-Resumable': version,
      ...(error.status === 412 && { 'Tus-Version': version }),
      ...(error.status === 405 && { Allow: locations.methodsAt(request) }),
      ...retryFieldsOf(error),
      'Content-Type': 'text/plain; charset=utf-8',
    },
    body: `${error.message}\n`,
  }
}
