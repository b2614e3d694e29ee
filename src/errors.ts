export interface AppErrorOptions {
  /** What went wrong underneath. Logged, never shown to a client. */
  cause?: unknown
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  retryAfter?: number
}

/**
 * The one error class of the program. `code` is stable and meant for programs, `message` is safe
 * to show to anybody, `status` is the HTTP status it is answered with, `cause` is for the log.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: string
  readonly status: number
  readonly retryAfter: number | undefined

  constructor(code: string, status: number, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = status
    this.retryAfter = options.retryAfter
  }
}

/** True for an error that carries `code`, either ours or one of Node's system errors. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  )
}

/** The message of anything that was thrown, for a log line or a stored failure. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name
  return String(error)
}
