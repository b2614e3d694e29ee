import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { AppError } from '../errors.ts'
import type { HttpEnvironment } from './context.ts'
import { problemResponse } from './problem.ts'
import { isStreamed } from './streaming.ts'

/** Bytes of the body of a request that is no upload. */
const most = 64 * 2 ** 10

/** Refuses bodies that are too long for what they are, `body-too-large` (413), but those of uploads. */
export function limitBodies(): MiddlewareHandler<HttpEnvironment> {
  const counted = bodyLimit({ maxSize: most, onError: refuse })
  return async (c, next) => {
    if (isStreamed(c.req.method, c.req.path)) return next()
    const length = c.req.header('Content-Length')
    // To look at a body costs more than all of a short request does; its length is kept by Node.
    const isSaid = length !== undefined && c.req.header('Transfer-Encoding') === undefined
    if (!isSaid) return counted(c, next)
    return Number(length) > most ? refuse() : next()
  }
}

function refuse(): Response {
  const message = `The body has more than ${most} bytes.`
  return problemResponse(new AppError('body-too-large', 413, message))
}
