import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { sendAnswer } from './answer.ts'
import type { HttpEnvironment } from './context.ts'

/**
 * The routes that take the bytes of their request from the socket's own stream, as the table of
 * `auth/access.ts` calls them. Nothing reads of their body before the handler does.
 */
export const streamedRoutes = ['POST /v1/images', 'PUT /v1/upload-links/{id}/content'] as const

const patterns = streamedRoutes.map((route) => {
  const [method = '', path = ''] = route.split(' ')
  return { method, path: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) }
})

/** @param path without the query. */
export function isStreamed(method: string, path: string): boolean {
  const decoded = decode(path)
  return patterns.some((each) => each.method === method && each.path.test(decoded))
}

/** As the router reads paths. */
function decode(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

interface Handlers {
  fetch(request: Request, bindings: object): Response | Promise<Response>
}

/**
 * Has a request answered by a handler that takes its bytes from `c.env.incoming`. The answer also
 * reaches a client that is still sending.
 */
export async function answerStreamed(
  app: Handlers,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const answer = await app.fetch(withoutBody(incoming), { incoming, outgoing })
  await sendAnswer(incoming, outgoing, answer)
}

/** What a client calls this server is of no meaning for these routes. */
function withoutBody({ url = '', method = '', rawHeaders }: IncomingMessage): Request {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  return new Request(`http://localhost${url}`, { method, headers })
}

/** The bytes of a request as they come from the socket. */
export interface StreamedBody {
  readonly stream: Readable
  /** Whether the bytes have no end that is said in advance. */
  readonly isChunked: boolean
  /** How many are announced; undefined when that is not said. */
  readonly announced: number | undefined
  /** Aborted when the client is gone before it has its answer. */
  readonly gone: AbortSignal
}

/** The body of a request to one of the streamed routes; to be asked for once. */
export function streamedBody(c: Context<HttpEnvironment>): StreamedBody {
  // There is no socket where a test asks.
  const { incoming, outgoing }: Partial<HttpBindings> = c.env ?? {}
  const length = c.req.header('Content-Length')
  return {
    stream: incoming ?? Readable.from(chunksOf(c.req.raw.body)),
    isChunked: incoming
      ? c.req.header('Transfer-Encoding') !== undefined
      : length === undefined && c.req.raw.body !== null,
    announced: length !== undefined && /^\d{1,16}$/.test(length) ? Number(length) : undefined,
    gone: outgoing ? goneSignal(outgoing) : c.req.raw.signal,
  }
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Buffer> {
  for await (const chunk of body ?? []) yield Buffer.from(chunk)
}

function goneSignal(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(new Error('the client is gone'))
  })
  return gone.signal
}
