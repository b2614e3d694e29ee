import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { cutAfter, flipByteAt, limitRate } from './byte-streams.ts'
import type { Fault } from './s3-faults.ts'

export interface ExchangeOptions {
  readonly target: string
  readonly fault: Fault | undefined
  /** Called when the fault has done what it does to S3, before the client hears anything. */
  readonly injected: () => void
  /** Where an exchange that hangs leaves the way to end it. */
  readonly hanging: Set<() => void>
  /** Where an exchange whose request is late leaves when S3 has carried it out. */
  readonly landing: Set<Promise<void>>
}

/** One request to S3 and its answer, with the fault that is to happen to it. */
export class Exchange {
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  readonly #options: ExchangeOptions
  /** Aborted when the client's side is over, whichever way. */
  readonly #over = new AbortController()

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, options: ExchangeOptions) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#options = options
    outgoing.once('close', () => this.#over.abort())
  }

  /** Ends when nothing more happens on its own; never rejects. */
  async run(): Promise<void> {
    const { fault } = this.#options
    try {
      if (fault === undefined) await this.#passOn(await this.#send())
      else if (typeof fault === 'string') await this.#break(fault)
      else if ('status' in fault) await this.#answerWith(fault)
      else if ('delayMs' in fault) await this.#delay(fault.delayMs)
      else if ('lateMs' in fault) await this.#beLate(fault.lateMs)
      else await this.#slowDown(fault.bytesPerSecond)
    } catch {
      this.#outgoing.destroy()
    }
  }

  async #break(fault: Extract<Fault, string>): Promise<void> {
    switch (fault) {
      case 'drop-before':
        await this.#swallow(this.#incoming)
        return this.#drop()
      case 'drop-after':
        await this.#swallow(await this.#send())
        return this.#drop()
      case 'hang':
        await this.#swallow(this.#incoming)
        return this.#hang()
      case 'hang-after':
        await this.#swallow(await this.#send())
        return this.#hang()
      case 'truncate-request':
        return this.#truncateRequest()
      case 'truncate-answer':
        return this.#truncateAnswer()
      case 'corrupt-request':
        return this.#corruptRequest()
      case 'corrupt-answer':
        return this.#corruptAnswer()
    }
  }

  async #answerWith({ status, code, message = '' }: Extract<Fault, { status: number }>) {
    await this.#swallow(this.#incoming)
    this.#options.injected()
    this.#outgoing.writeHead(status, { 'content-type': 'application/xml' })
    this.#outgoing.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    )
  }

  async #delay(ms: number): Promise<void> {
    const answer = await this.#send()
    this.#options.injected()
    await delay(ms, undefined, { signal: this.#over.signal })
    await this.#passOn(answer)
  }

  async #beLate(ms: number): Promise<void> {
    const { landing } = this.#options
    const body = await buffer(this.#incoming)
    const landed = delay(ms).then(() => this.#resend(body))
    landing.add(landed)
    void landed.finally(() => landing.delete(landed))
    this.#drop()
  }

  /** Sends the request on although nobody waits for the answer; whatever becomes of it. */
  async #resend(body: Buffer): Promise<void> {
    const { method, url, headers } = this.#incoming
    const onward = request(`${this.#options.target}${url}`, { method, headers, agent: false })
    onward.end(body)
    const [answer]: IncomingMessage[] = await once(onward, 'response').catch(() => [])
    answer?.resume()
    if (answer) await once(answer, 'close')
  }

  async #slowDown(bytesPerSecond: number): Promise<void> {
    this.#options.injected()
    await this.#passOn(await this.#send(limitRate(bytesPerSecond)), limitRate(bytesPerSecond))
  }

  #drop(): void {
    this.#options.injected()
    this.#outgoing.destroy()
  }

  #hang(): void {
    const { hanging, injected } = this.#options
    const end = () => this.#outgoing.destroy()
    if (!this.#over.signal.aborted) {
      hanging.add(end)
      this.#outgoing.once('close', () => hanging.delete(end))
    }
    injected()
  }

  async #truncateRequest(): Promise<void> {
    const size = sizeOf(this.#incoming)
    if (size === 0) return this.#passOn(await this.#send())
    const cut = new AbortController()
    try {
      await this.#send(
        cutAfter(size >> 1, () => cut.abort()),
        cut.signal,
      )
    } finally {
      this.#drop()
    }
  }

  async #truncateAnswer(): Promise<void> {
    const answer = await this.#send()
    this.#options.injected()
    const size = sizeOf(answer)
    if (this.#incoming.method === 'HEAD' || size === 0) {
      const { socket } = this.#outgoing
      socket?.end(`HTTP/1.1 ${answer.statusCode} OK\r\nDate: `, () => socket.destroy())
    } else if (answer.headers['content-length']) {
      await this.#passOn(
        answer,
        cutAfter(size >> 1, () => this.#outgoing.destroy()),
      )
    } else {
      const body = await buffer(answer)
      this.#outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      this.#outgoing.write(body.subarray(0, body.length >> 1), () => this.#outgoing.destroy())
    }
  }

  async #corruptRequest(): Promise<void> {
    const size = sizeOf(this.#incoming)
    if (size === 0) return this.#passOn(await this.#send())
    const answer = await this.#send(flipByteAt(size >> 1))
    this.#options.injected()
    await this.#passOn(answer)
  }

  async #corruptAnswer(): Promise<void> {
    const answer = await this.#send()
    const size = sizeOf(answer)
    if (this.#incoming.method === 'HEAD' || size === 0) return this.#passOn(answer)
    this.#options.injected()
    await this.#passOn(answer, flipByteAt(size >> 1))
  }

  /** Headers go on as they came, since the signature covers the host. */
  async #send(change?: Transform, cut?: AbortSignal): Promise<IncomingMessage> {
    const { method, url, headers } = this.#incoming
    const signal = AbortSignal.any([this.#over.signal, ...(cut ? [cut] : [])])
    const options = { method, headers, agent: false, signal } as const
    const onward = request(`${this.#options.target}${url}`, options)
    const answered = once(onward, 'response')
    onward.on('error', () => {})
    // What breaks in a pipeline ends the request, and `answered` tells of that.
    if (sizeOf(this.#incoming) === 0) onward.end()
    else if (change) pipeline(this.#incoming, change, onward).catch(() => {})
    else pipeline(this.#incoming, onward).catch(() => {})
    const [answer]: IncomingMessage[] = await answered
    if (!answer) throw new Error('no answer')
    return answer
  }

  async #passOn(answer: IncomingMessage, change?: Transform): Promise<void> {
    this.#outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    if (change) await pipeline(answer, change, this.#outgoing)
    else await pipeline(answer, this.#outgoing)
  }

  async #swallow(message: IncomingMessage): Promise<void> {
    if (message.complete && message.readableEnded) return
    const ended = once(message, 'end', { signal: this.#over.signal })
    message.resume()
    await ended
  }
}

/** Bytes of the body; infinite when the headers do not say. */
function sizeOf({ headers }: IncomingMessage): number {
  const length = headers['content-length']
  if (length !== undefined) return Number(length)
  return headers['transfer-encoding'] === undefined ? 0 : Number.POSITIVE_INFINITY
}
