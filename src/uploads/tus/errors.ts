import { AppError } from '../../errors.ts'
import type { Logger } from '../../operations/logger.ts'
import type { TusRequest } from './request.ts'

const defaultRetryAfter = 2

/**
 * What a client is told. Only errors made to be shown are; others are logged and kept.
 *
 * Clients give up an upload when HEAD fails in another way than 423 (Locked), so that is what any
 * trouble that passes is called there.
 */
export function tusError(error: unknown, request: TusRequest, logger: Logger): AppError {
  const known = error instanceof AppError ? error : unexpected(error)
  // Nobody reads the answer to a request whose client is gone, and nothing went wrong here.
  if (known.status >= 500 && !request.gone.aborted) {
    logger.error({ err: error }, `${request.method} failed: ${known.code}`)
  }
  if (request.method !== 'HEAD' || known.status < 500) return known
  return new AppError('try-again', 423, 'The upload cannot be looked at just now.', {
    cause: error,
    retryAfter: known.retryAfter ?? defaultRetryAfter,
  })
}

export function errorHeaders({ status, retryAfter }: AppError): Record<string, string> {
  const seconds = retryAfter ?? (status === 423 || status === 503 ? defaultRetryAfter : undefined)
  return seconds === undefined ? {} : { 'Retry-After': String(seconds) }
}

function unexpected(cause: unknown): AppError {
  return new AppError(
    'internal-error',
    500,
    'Something went wrong here; the bytes acknowledged so far are safe.',
    { cause },
  )
}
