/** One request over a connection of its own, with all that an answer can be made of. */
import http from 'node:http'
import https from 'node:https'

export type Headers = Readonly<Record<string, string>>

export interface Interim {
  readonly status: number
  readonly headers: Headers
}

export interface Answer extends Interim {
  readonly body: Buffer
}

export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly interim: readonly Interim[] }
  | { readonly kind: 'closed' | 'silent'; readonly interim: readonly Interim[] }

export interface WireRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body?: Buffer | undefined
  readonly chunked?: boolean | undefined
  readonly trailers?: Headers | undefined
}

/** How long to wait for 100 (Continue) before the body is sent all the same (RFC 9110, 10.1.1). */
const continueTimeoutMs = 2_000

/** A request that may stop in the middle of its body. Nothing of it throws: all ends in an outcome. */
export class Call {
  readonly outcome: Promise<Outcome>
  readonly interim: Interim[] = []
  readonly #request: http.ClientRequest
  readonly #wire: WireRequest
  readonly #patienceMs: number
  #timer: NodeJS.Timeout | undefined
  #settled = false
  #sent = 0
  #resolve: (outcome: Outcome) => void = () => undefined
  #onInterim: () => void = () => undefined

  /** Silent when bytes are not taken, or all of them are not answered, for `patienceMs`. */
  constructor(wire: WireRequest, patienceMs: number) {
    this.#wire = wire
    this.#patienceMs = patienceMs
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const { request } = wire.url.protocol === 'https:' ? https : http
    const headers = { ...framing(wire), ...wire.headers, Connection: 'close' }
    this.#request = request(wire.url, { method: wire.method, headers, agent: false })
    this.#listen()
    this.#request.flushHeaders()
  }

  /** Sends the body up to this byte; resolves once it was handed over, or the answer came. */
  async send(until = this.#wire.body?.length ?? 0): Promise<void> {
    if ('Expect' in this.#wire.headers && this.#sent === 0) {
      await this.waitFor(({ status }) => status === 100, continueTimeoutMs)
    }
    const bytes = this.#wire.body?.subarray(this.#sent, until) ?? Buffer.alloc(0)
    this.#sent = until
    if (this.#settled || bytes.length === 0) return
    this.#beginWaiting()
    const written = new Promise<void>((resolve) => this.#request.write(bytes, () => resolve()))
    await Promise.race([written, this.outcome])
    clearTimeout(this.#timer)
  }

  /** Sends what is left, and ends the body. */
  async finish(): Promise<Outcome> {
    await this.send()
    if (this.#settled) return this.outcome
    if (this.#wire.trailers) this.#request.addTrailers(this.#wire.trailers)
    this.#beginWaiting()
    this.#request.end()
    return this.outcome
  }

  /** Ends the connection after what was sent. */
  async cut(): Promise<void> {
    this.#settle({ kind: 'closed', interim: this.interim })
    await this.outcome
  }

  /** Resolves once such an interim answer came, the call is over, or it took too long. */
  async waitFor(wanted: (interim: Interim) => boolean, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const arrived = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
      this.#onInterim = () => {
        if (this.interim.some(wanted)) resolve()
      }
      this.#onInterim()
    })
    await Promise.race([arrived, this.outcome])
    clearTimeout(timer)
  }

  #listen(): void {
    this.#request.on('information', ({ statusCode, headers }) => {
      this.interim.push({ status: statusCode, headers: flat(headers) })
      this.#onInterim()
    })
    this.#request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => undefined)
      response.on('close', () => {
        const { statusCode = 0, headers } = response
        const answer = { status: statusCode, headers: flat(headers), body: Buffer.concat(chunks) }
        this.#settle({ kind: 'answer', answer, interim: this.interim })
      })
    })
    const closed = () => this.#settle({ kind: 'closed', interim: this.interim })
    this.#request.on('error', closed)
    this.#request.on('close', closed)
  }

  #beginWaiting(): void {
    const silent = () => this.#settle({ kind: 'silent', interim: this.interim })
    this.#timer = setTimeout(silent, this.#patienceMs)
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return
    clearTimeout(this.#timer)
    this.#settled = true
    this.#resolve(outcome)
    this.#request.destroy()
  }
}

/** Sends a whole request. */
export function exchange(wire: WireRequest, patienceMs: number): Promise<Outcome> {
  return new Call(wire, patienceMs).finish()
}

function framing({ method, body, chunked, trailers }: WireRequest): Record<string, string> {
  if (chunked || trailers) {
    const names = Object.keys(trailers ?? {}).join(', ')
    return { 'Transfer-Encoding': 'chunked', ...(names && { Trailer: names }) }
  }
  const mayBeEmpty = ['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method) && body === undefined
  return mayBeEmpty ? {} : { 'Content-Length': String(body?.length ?? 0) }
}

/** Names in lower case; what is sent several times is joined, as HTTP has it. */
function flat(headers: http.IncomingHttpHeaders): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  )
}
