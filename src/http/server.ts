import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { AppError, hasCode, messageOf } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import { stopping as aboutToStop } from '../uploads/errors.ts'
import { sendAnswer } from './answer.ts'
import { problemResponse } from './problem.ts'
import { createRequestLog, pathOf } from './request-log.ts'
import { answerStreamed, isStreamed } from './streaming.ts'

/** Where uploads are sent to; the protocols take over below it. */
export const uploadPath = '/files'

/** A connection on which nothing has moved for so long is given up. */
const idleMs = 120_000
const keepAliveMs = 65_000
/** The time answers under way have when the program stops. */
const lastAnswersMs = 1_500

/** The protocols. A GET is theirs when it asks in the words of the IETF draft. */
export interface UploadHandler {
  handle(request: IncomingMessage, response: ServerResponse): Promise<Response>
  turnAway(request: IncomingMessage, response: ServerResponse): Response
}

/** Everything else. */
export interface Api {
  /** @param bindings the request as Node has it. */
  fetch(request: Request, bindings?: object): Response | Promise<Response>
}

export interface HttpServerDependencies {
  readonly logger: Logger
  readonly uploads: UploadHandler
  readonly app: Api
}

export interface HttpServer {
  /** Resolves with the address in use. @throws AppError that names the setting when it cannot listen. */
  listen(port: number, host: string): Promise<string>
  /** Takes no new connections and turns away new uploads on those there are. */
  stopAccepting(): void
  /** Lets answers under way end for a moment, then ends what connections are left. */
  close(): Promise<void>
}

/**
 * One server for both: uploads by the protocols go to them untouched, everything else to Hono; some
 * of that with the request as Node has it.
 */
export function createHttpServer({ logger, uploads, app }: HttpServerDependencies): HttpServer {
  const log = createRequestLog(logger)
  // For requests of HTTP/1.0, which need not name a host (RFC 9112, 3.2).
  const api = getRequestListener(app.fetch, { hostname: 'localhost' })
  let stopping = false

  const handleUpload = async (request: IncomingMessage, response: ServerResponse) => {
    const answer = stopping
      ? uploads.turnAway(request, response)
      : await uploads.handle(request, response)
    await sendAnswer(request, response, answer)
  }
  const handleStreamed = async (request: IncomingMessage, response: ServerResponse) => {
    if (stopping) await sendAnswer(request, response, problemResponse(aboutToStop()))
    else await answerStreamed(app, request, response)
  }
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    log(request, response)
    if (stopping) response.setHeader('Connection', 'close')
    overrideMethod(request)
    if (isUpload(request)) {
      handleUpload(request, response).catch((error) => fail(error, response, logger))
    } else if (isStreamed(request.method ?? '', pathOf(request.url))) {
      handleStreamed(request, response).catch((error) => fail(error, response, logger))
    } else void api(request, response)
  }
  const server = createServer(handle)
  // A client that asks before it sends a body is told to once somebody reads it, or refused.
  server.on('checkContinue', (request, response) => {
    request.once('resume', () => {
      if (!response.headersSent) response.writeContinue()
    })
    handle(request, response)
  })
  // An upload may take hours; only silence ends it.
  server.requestTimeout = 0
  server.timeout = idleMs
  // Longer than load balancers keep theirs, so that none sends into a connection that is closing.
  server.keepAliveTimeout = keepAliveMs

  return {
    listen: (port, host) => listen(server, port, host),
    stopAccepting() {
      stopping = true
      server.close()
      server.closeIdleConnections()
    },
    async close() {
      const { promise: closed, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), lastAnswersMs)
      await closed
      clearTimeout(timer)
    },
  }
}

function isUpload({ url, method, headers }: IncomingMessage): boolean {
  const isDownload = method === 'GET' && headers['upload-draft-interop-version'] === undefined
  return !isDownload && isUploadPath(pathOf(url))
}

function isUploadPath(path: string): boolean {
  return path === uploadPath || path.startsWith(`${uploadPath}/`)
}

/** What an upload request means: some networks let only GET and POST through (tus: Core). */
function overrideMethod(request: IncomingMessage): void {
  const method = request.headers['x-http-method-override']
  const path = pathOf(request.url)
  if (typeof method === 'string' && isUploadPath(path)) request.method = method.trim().toUpperCase()
}

function fail(error: unknown, response: ServerResponse, logger: Logger): void {
  logger.error({ err: error }, 'an upload request failed unexpectedly')
  if (response.headersSent) response.destroy()
  else response.writeHead(500, { Connection: 'close' }).end()
}

async function listen(server: Server, port: number, host: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  try {
    await promise
  } catch (error) {
    const setting = hasCode(error, 'EADDRINUSE', 'EACCES') ? `PORT=${port}` : `HOST=${host}`
    throw new AppError(
      'cannot-listen',
      500,
      `${setting}: cannot listen there (${messageOf(error)})`,
      { cause: error },
    )
  } finally {
    server.off('error', reject)
  }
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  return `http://${host.includes(':') ? `[${host}]` : host}:${actual}`
}
