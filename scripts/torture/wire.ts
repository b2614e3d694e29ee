/** Requests as they go over the wire. */
import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Answer } from './watch.ts'

/** No answer came, or not all of it; what the request did is not known. */
export class BrokenRequest extends Error {}

export interface WireRequest {
  readonly method: 'POST' | 'HEAD' | 'PATCH' | 'DELETE' | 'GET'
  readonly url: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Body | undefined
  /** Called with the headers of each interim answer. It must not throw. */
  readonly onInterim?: (headers: IncomingHttpHeaders) => void
  /** Without a sign for so long, the request is given up. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

export interface Body {
  readonly bytes: Iterable<Buffer>
  readonly size: number
  /** Whether it goes in chunks, and its size is not said. */
  readonly isChunked?: boolean
  /** What follows the last chunk. */
  readonly trailer?: Readonly<Record<string, string>>
}

export function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 2 })
}

const keptText = 300

/** @throws BrokenRequest */
export async function send(agent: Agent, wireRequest: WireRequest): Promise<Answer> {
  const message = await open(agent, wireRequest)
  const text = await readStart(message)
  return {
    method: wireRequest.method,
    status: message.statusCode ?? 0,
    headers: message.headers,
    text,
  }
}

/** Sends a request and leaves the body of the answer to the caller. @throws BrokenRequest */
export async function open(agent: Agent, wireRequest: WireRequest): Promise<IncomingMessage> {
  const { method, url, headers, body, onInterim, patienceMs, signal } = wireRequest
  signal.throwIfAborted()
  const outgoing = request(url, {
    method,
    agent,
    signal,
    headers: { ...framing(wireRequest), ...headers },
  })
  if (body?.trailer) outgoing.addTrailers(body.trailer)
  outgoing.setTimeout(patienceMs, () => outgoing.destroy(new Error('out of patience')))
  outgoing.on('information', (interim) => onInterim?.(interim.headers))
  const answered = once(outgoing, 'response')
  outgoing.on('error', () => {})
  const sending = pipeline(Readable.from(body?.bytes ?? []), outgoing)
  sending.catch(() => {})
  try {
    const [message]: IncomingMessage[] = await answered
    if (!message) throw new Error('no answer')
    // An answer before the end of the body is one that refuses the rest of it.
    message.once('end', () => {
      if (!outgoing.writableFinished) outgoing.destroy()
    })
    return message
  } catch (error) {
    signal.throwIfAborted()
    throw brokenBy(error)
  }
}

function framing({ method, body }: WireRequest): Record<string, string | number> {
  if (method !== 'POST' && method !== 'PATCH') return {}
  if (!body?.isChunked) return { 'Content-Length': body?.size ?? 0 }
  const trailers = Object.keys(body.trailer ?? {})
  return {
    'Transfer-Encoding': 'chunked',
    ...(trailers.length > 0 && { Trailer: trailers.join(', ') }),
  }
}

async function readStart(message: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of message) if (text.length < keptText) text += chunk
  } catch (error) {
    throw brokenBy(error)
  }
  return text.slice(0, keptText).trim().replaceAll('\n', ' ')
}

function brokenBy(error: unknown): BrokenRequest {
  return new BrokenRequest(error instanceof Error ? error.message : String(error))
}
