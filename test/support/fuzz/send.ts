/** Sends requests as odd as they are, over connections that are used again. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { FuzzRequest } from './requests.ts'

export interface FuzzAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A server that keeps a client waiting for so long does not answer at all. */
const patienceMs = 90_000

export class Sender implements Disposable {
  readonly #url: string
  readonly #agent: Agent

  constructor(url: string) {
    this.#url = url
    // Without a limit none has to wait for a connection: one handed on then does not say so.
    this.#agent = new Agent({ keepAlive: true })
  }

  /** @throws when there is no answer, or not all of it. */
  async send(fuzzed: FuzzRequest, token: string | undefined): Promise<FuzzAnswer> {
    for (;;) {
      const attempt = this.#attempt(fuzzed, token)
      try {
        return await attempt.answer
      } catch (error) {
        // The server may end a connection that idles just when it is used again (RFC 9110 9.2.2).
        const isReset = error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
        if (!isReset || !attempt.sending.reusedSocket) throw error
      }
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #attempt({ method, path, headers, body, chunked }: FuzzRequest, token: string | undefined) {
    const { hostname, port } = new URL(this.#url)
    const length = chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body?.length }
    const sending = request({
      ...{ method, path, hostname, port, agent: this.#agent },
      headers: {
        ...headers,
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body && length),
      },
      signal: AbortSignal.timeout(patienceMs),
    })
    const { promise, resolve, reject } = Promise.withResolvers<FuzzAnswer>()
    sending.once('error', reject)
    sending.once('response', (response) => {
      // What of the body is not sent by now is not wanted.
      sending.off('error', reject).on('error', () => {})
      const { statusCode: status = 0, headers } = response
      buffer(response).then((body) => resolve({ status, headers, body }), reject)
    })
    sending.end(body)
    return { sending, answer: promise }
  }
}
