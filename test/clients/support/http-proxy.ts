import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/**
 * What happens to an exchange: its answer is lost after the server gave it, and the client sees a cut;
 * or one bit of its request's body is another when it arrives.
 */
export type ExchangeFault = 'lose answer' | 'damage body'

export type FaultOf = (request: IncomingMessage) => ExchangeFault | undefined

/** An HTTP proxy on loopback that understands what it passes on, and does harm to it. */
export async function startHttpProxy(target: string, faultOf: FaultOf): Promise<HttpProxy> {
  const proxy = new HttpProxy(target, faultOf)
  await proxy.listen()
  return proxy
}

export class HttpProxy implements AsyncDisposable {
  readonly #target: URL
  readonly #faultOf: FaultOf
  readonly #server: Server

  constructor(target: string, faultOf: FaultOf) {
    this.#target = new URL(target)
    this.#faultOf = faultOf
    this.#server = createServer((request, response) => void this.#pass(request, response))
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Where clients connect. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.#faultOf(request)
    const { hostname, port } = this.#target
    const { method, url: path, headers } = request
    const onward = openRequest({ hostname, port, method, path, headers, agent: false })
    const answered: Promise<IncomingMessage[]> = once(onward, 'response')
    const body = fault === 'damage body' ? request.pipe(damage()) : request
    try {
      const [[answer]] = await Promise.all([answered, pipeline(body, onward)])
      if (!answer) throw new Error('there was no answer')
      if (fault === 'lose answer') {
        for await (const _ of answer);
        request.socket.resetAndDestroy()
      } else {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        await pipeline(answer, response)
      }
    } catch {
      response.destroy()
    } finally {
      onward.destroy()
    }
  }
}

/** Turns over one bit of the first bytes. */
function damage(): Transform {
  let isDone = false
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bytes = Buffer.from(chunk)
      if (!isDone) bytes[0] = (bytes[0] ?? 0) ^ 1
      isDone = true
      done(null, bytes)
    },
  })
}
