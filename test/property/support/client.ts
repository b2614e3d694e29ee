/** HTTP as no library speaks it: with trailers, interim answers, and ends in the middle. */
import { once } from 'node:events'
import {
  Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from 'node:http'
import type { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Ask {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
  /** Whether the body comes without saying how long it is. */
  readonly chunked?: boolean
  /** Fields after the body; then it is chunked. */
  readonly trailers?: Readonly<Record<string, string>>
}

export interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

export interface Answer extends Told {
  readonly body: Buffer
  /** Interim answers that came before. */
  readonly interim: readonly Told[]
}

export interface Stalled {
  /** What became of it: an answer, or undefined when the connection broke. */
  readonly outcome: Promise<Answer | undefined>
  end(): void
}

/** A server that keeps a client waiting for so long does not answer at all. */
const patienceMs = 60_000

export class Client implements Disposable {
  readonly #url: string
  /** Connections are used again, so that bytes left over from one request would spoil the next. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(url: string) {
    this.#url = url
  }

  async ask(ask: Ask): Promise<Answer> {
    const { body, trailers } = ask
    const sending = this.#begin(ask, this.#agent)
    if (trailers) sending.addTrailers(trailers)
    sending.end(body)
    return answerOf(sending)
  }

  /**
   * Sends only so much of the body, and then ends the connection. Returns when the server has seen
   * that.
   * @param ready looked at with each interim answer: whether it may be ended by now.
   * @returns the interim answers that came.
   */
  async cut(ask: Ask, sent: number, waitsForInterim: boolean): Promise<readonly Told[]> {
    const sending = this.#begin(ask, false)
    const interim = collectInterim(sending)
    const answered = new Promise<void>((resolve) => {
      sending.once('response', (response) => {
        response.resume()
        resolve()
      })
      sending.once('close', resolve)
      if (waitsForInterim) sending.once('information', () => resolve())
    })
    sending.on('error', () => {})
    await flushed(sending, ask.body?.subarray(0, sent))
    if (waitsForInterim) await answered
    sending.destroy()
    await this.#untilSeen()
    return interim
  }

  /** Sends so much of the body, once the server reads it, and then falls silent. */
  async stall(ask: Ask, sent: number): Promise<Stalled> {
    const sending = this.#begin(
      { ...ask, headers: { ...ask.headers, Expect: '100-continue' } },
      false,
    )
    const outcome = answerOf(sending).catch(() => undefined)
    sending.flushHeaders()
    await Promise.race([once(sending, 'continue').catch(() => {}), outcome])
    await flushed(sending, ask.body?.subarray(0, sent))
    return { outcome, end: () => sending.destroy() }
  }

  /** Connections that were made one after the other are seen in that order. */
  async #untilSeen(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      const sending = this.#begin({ method: 'GET', path: '/healthz' }, false)
      const answered = answerOf(sending)
      sending.end()
      await answered
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #begin(
    { method, path, headers, body, chunked, trailers }: Ask,
    agent: Agent | false,
  ): ClientRequest {
    const isChunked = chunked || trailers !== undefined
    const length = isChunked
      ? { 'Transfer-Encoding': 'chunked' }
      : { 'Content-Length': body?.length ?? 0 }
    return request(this.#url + path, {
      method,
      agent,
      headers: { ...headers, ...(body && length) },
      signal: AbortSignal.timeout(patienceMs),
    })
  }
}

async function answerOf(sending: ClientRequest): Promise<Answer> {
  const interim = collectInterim(sending)
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  // Some of the body may not have been read by the time of the answer.
  sending.on('error', reject)
  sending.once('response', resolve)
  const response = await promise
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await buffer(response),
    interim,
  }
}

function collectInterim(sending: ClientRequest): Told[] {
  const interim: Told[] = []
  sending.on('information', ({ statusCode, headers }) => {
    if (statusCode !== 100) interim.push({ status: statusCode, headers })
  })
  return interim
}

/** Resolves when the head and these bytes have left this process, or cannot any more. */
async function flushed(sending: ClientRequest, bytes: Buffer = Buffer.alloc(0)): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  sending.once('close', resolve)
  if (bytes.length > 0) sending.write(bytes, () => resolve())
  else {
    sending.flushHeaders()
    const afterHead = (socket: Socket) => afterConnect(socket, resolve)
    if (sending.socket) afterHead(sending.socket)
    else sending.once('socket', afterHead)
  }
  await promise
  sending.off('close', resolve)
}

function afterConnect(socket: Socket, then: () => void): void {
  const flush = () => void socket.write('', then)
  if (socket.connecting) socket.once('connect', flush)
  else flush()
}
