import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../operations/logger.ts'

export type RequestLog = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Gives each request an id, or takes the client's, and tells it in `X-Request-Id`. When the request
 * is over there is one line about it: `warn` for 5xx, `info` for 4xx, `debug` for the rest. Never
 * with the query, which may hold a signature, nor with a header.
 */
export function createRequestLog(logger: Logger): RequestLog {
  return (request, response) => {
    const begun = performance.now()
    const id = requestId(request)
    // Of a connection that is closed it cannot be asked any more.
    const { remoteAddress } = request.socket
    response.setHeader('X-Request-Id', id)
    response.once('close', () => {
      const { statusCode } = response
      const level = levelOf(statusCode)
      if (!logger.isLevelEnabled(level)) return
      const { method } = request
      const url = pathOf(request.url)
      const end = response.writableFinished ? `${statusCode}` : 'not answered'
      logger[level](
        {
          req: { id, method, url, remoteAddress },
          res: response.headersSent ? { statusCode } : undefined,
          responseTime: Math.round(performance.now() - begun),
        },
        `${method} ${url} ${end}`,
      )
    })
  }
}

/** The path of a request's target. */
export function pathOf(url = ''): string {
  return url.split('?', 1)[0] ?? ''
}

function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
}

function levelOf(statusCode: number): 'warn' | 'info' | 'debug' {
  if (statusCode >= 500) return 'warn'
  return statusCode >= 400 ? 'info' : 'debug'
}
