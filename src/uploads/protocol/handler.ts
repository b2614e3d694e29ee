import type { IncomingMessage, ServerResponse } from 'node:http'
import { challengeOf } from '../../auth/challenge.ts'
import type { Authenticator } from '../../auth/principal.ts'
import { AppError } from '../../errors.ts'
import type { Logger } from '../../operations/logger.ts'
import { stopping } from '../errors.ts'
import { TooManyUploadsError } from '../limits/errors.ts'
import { rateFields } from '../limits/rate.ts'
import type { Answer } from './answer.ts'
import { addCors } from './cors.ts'
import { UploadRequest } from './request.ts'
import { identify } from './visitor.ts'

/** One protocol at the upload path. */
export interface Dialect {
  /** Whether a request is in this dialect. */
  speaks(request: UploadRequest): boolean
  answer(request: UploadRequest): Promise<Answer>
  /** How an error is told. */
  refuse(error: AppError, request: UploadRequest): Answer
}

export interface UploadHandlerOptions {
  readonly logger: Logger
  readonly authenticator: Authenticator
  /** The first that speaks a request's language answers it. */
  readonly dialects: readonly Dialect[]
  /** Answers a request in no language, with what it should have said. */
  readonly fallback: Dialect
  /** What an OPTIONS request is told, by all dialects together. */
  readonly capabilities: Readonly<Record<string, string>>
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
}

/** Answers one request at the upload path; everything except GET. */
export interface UploadHandler {
  handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<Response>
  /** Turns a request away since the program is about to stop. */
  turnAway(incoming: IncomingMessage, outgoing: ServerResponse): Response
}

export function createUploadHandler(options: UploadHandlerOptions): UploadHandler {
  const { logger, authenticator, dialects, fallback, capabilities, corsOrigins } = options
  const dialectOf = (request: UploadRequest) =>
    dialects.find((dialect) => dialect.speaks(request)) ?? fallback

  function respond(request: UploadRequest, { status, headers, body }: Answer): Response {
    const all = new Headers(headers)
    addCors(all, request, corsOrigins)
    return new Response(request.method === 'HEAD' ? null : (body ?? null), {
      status,
      statusText: status === 460 ? 'Checksum Mismatch' : '',
      headers: all,
    })
  }

  function refuse(error: unknown, request: UploadRequest): Response {
    const known = error instanceof AppError ? error : unexpected(error)
    // Nobody reads the answer to a request whose client is gone, and nothing went wrong here.
    if (known.status >= 500 && !request.gone.aborted) {
      logger.error({ err: error }, `${request.method} failed: ${known.code}`)
    }
    const { headers, ...answer } = dialectOf(request).refuse(known, request)
    const challenge = challengeOf(known)
    const all = challenge ? { ...headers, 'WWW-Authenticate': challenge } : headers
    return respond(request, { ...answer, ...(all && { headers: all }) })
  }

  return {
    async handle(incoming, outgoing) {
      const request = new UploadRequest(incoming, outgoing)
      if (request.method === 'OPTIONS')
        return respond(request, { status: 204, headers: capabilities })
      try {
        const { method, authorization } = request
        request.visitor = await identify(authenticator, method, authorization)
        return respond(request, await dialectOf(request).answer(request))
      } catch (error) {
        return refuse(error, request)
      }
    },
    turnAway(incoming, outgoing) {
      const request = new UploadRequest(incoming, outgoing)
      return respond(request, dialectOf(request).refuse(stopping(), request))
    },
  }
}

const defaultRetryAfter = 2

/** When to try again: seconds, with errors that pass, and the rate that somebody went beyond. */
export function retryFieldsOf(error: AppError): Record<string, string> {
  const { status, retryAfter } = error
  const passes = status === 423 || status === 503
  const seconds = retryAfter ?? (passes ? defaultRetryAfter : undefined)
  return {
    ...(seconds !== undefined && { 'Retry-After': String(seconds) }),
    ...(error instanceof TooManyUploadsError && rateFields(error.rate)),
  }
}

/** @throws AppError `method-not-allowed` (405) */
export function methodNotAllowed(): AppError {
  return new AppError('method-not-allowed', 405, 'This cannot be done here.')
}

function unexpected(cause: unknown): AppError {
  const message = 'Something went wrong here; the bytes acknowledged so far are safe.'
  return new AppError('internal-error', 500, message, { cause })
}
