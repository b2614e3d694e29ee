import type { Context, MiddlewareHandler } from 'hono'

/**
 * CORS, asked after the answer is there instead of before: to an answer that comes later, its fields
 * are added by making a second one of it, whose body then goes through a stream. That is a third of
 * what it takes to answer in JSON.
 * @param cors only sets fields, but for a preflight request, of which it is the answer.
 */
export function afterAnswer(cors: MiddlewareHandler): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'OPTIONS') return cors(c, next)
    await next()
    return cors(c, async () => {})
  }
}

/**
 * An answer with the fields that were set by `c.header` before it was made. One that is made by
 * `c.json` or `c.body` has them; to others nobody adds them.
 */
export function asAnswerOf(c: Context, response: Response): Response {
  return c.newResponse(response.body, response)
}
