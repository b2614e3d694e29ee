/** What pages of other origins may do here (Fetch standard, CORS). */
import type { Context, MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { AppError } from '../errors.ts'

export interface CorsOptions {
  /** Web origins that may call; undefined means any, but for what admins do. */
  readonly corsOrigins: readonly string[] | undefined
  /** What clients call this server. */
  readonly publicUrl?: string | undefined
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']

/** Those that a page of another origin may read, besides the ones it always may. */
const exposedHeaders = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
]

/** Lets pages read answers, and send what they ask to send, a token among it. */
export function allowOrigins({ corsOrigins }: CorsOptions): MiddlewareHandler {
  const options = { allowMethods: methods, exposeHeaders: exposedHeaders }
  const everywhere = cors({ ...options, origin: corsOrigins ? [...corsOrigins] : '*' })
  const listed = cors({ ...options, origin: [...(corsOrigins ?? [])] })
  return (c, next) => (isForAdmins(c) ? listed : everywhere)(c, next)
}

/**
 * Refuses a page of another origin that is not listed. To be unable to read the answer does not keep
 * a page from asking, and while authentication is off whoever asks is an admin.
 * @throws AppError `cross-origin` (403)
 */
export function refuseForeignPages({ corsOrigins, publicUrl }: CorsOptions): MiddlewareHandler {
  const own = publicUrl && new URL(publicUrl).host
  return async (c, next) => {
    const origin = c.req.header('Origin')
    if (origin !== undefined && !corsOrigins?.includes(origin)) {
      // By name and port only: a proxy may have taken TLS off.
      const host = URL.parse(origin)?.host
      const called = c.req.header('Host') ?? new URL(c.req.url).host
      if (!host || (host !== called.toLowerCase() && host !== own)) throw crossOrigin()
    }
    await next()
  }
}

function isForAdmins(c: Context): boolean {
  return c.req.path.startsWith('/v1/admin/')
}

function crossOrigin(): AppError {
  const message = 'A page of another origin may not do this; CORS_ORIGINS lists those that may.'
  return new AppError('cross-origin', 403, message)
}
