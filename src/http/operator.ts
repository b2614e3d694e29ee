import type { MiddlewareHandler } from 'hono'
import { AppError } from '../errors.ts'
import type { HttpEnvironment } from './context.ts'

/**
 * Lets only those through that look after this server, whatever is asked for; to be used once it is
 * known who asks. @throws AppError `not-an-operator` (403)
 */
export function requireOperator(): MiddlewareHandler<HttpEnvironment> {
  return async (c, next) => {
    if (!c.get('principal').isOperator) {
      throw new AppError('not-an-operator', 403, 'This is for operators only.')
    }
    await next()
  }
}
