import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { waitFor } from './wait.ts'

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** A client that writes what it likes to a connection, and sees what comes back as it comes. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket
  received = ''
  /** Whether the connection is over, by whomever it was ended. */
  closed = false

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => {
      this.received += text
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
    })
  }

  /** Sends the head of a request. */
  send(method: string, path: string, headers: Record<string, string | number> = {}): void {
    const lines = Object.entries({ Host: 'test', ...headers }).map(([n, v]) => `${n}: ${v}\r\n`)
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }

  /**
   * Writes so many bytes as fast as they are taken, until all are written or the connection is over.
   * Returns how many could be written.
   */
  async pour(bytes: number, chunk = Buffer.alloc(256 * 1024)): Promise<number> {
    for (let sent = 0; sent < bytes && !this.closed; sent += chunk.length) {
      if (this.socket.write(chunk)) continue
      const gone = new AbortController()
      const end = () => gone.abort()
      this.socket.once('close', end)
      await once(this.socket, 'drain', { signal: gone.signal }).catch(() => {})
      this.socket.off('close', end)
    }
    return this.socket.bytesWritten - this.socket.writableLength
  }

  /** The next answer, once all of it is there. */
  async answer(method = 'GET'): Promise<RawAnswer> {
    return waitFor(() => this.#parse(method), { intervalMs: 5, what: 'an answer' })
  }

  /** Resolves when the other side has ended the connection. */
  async ended(timeoutMs = 15_000): Promise<void> {
    await waitFor(() => this.closed, { timeoutMs, what: 'the end of the connection' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.ended()
  }

  #parse(method: string): RawAnswer | undefined {
    const end = this.received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const [first = '', ...lines] = this.received.slice(0, end).split('\r\n')
    const status = Number(first.split(' ')[1])
    const headers = new Headers(lines.map((line): [string, string] => splitHeader(line)))
    const length = hasBody(method, status) ? Number(headers.get('Content-Length') ?? 0) : 0
    const body = this.received.slice(end + 4, end + 4 + length)
    if (body.length < length) return undefined
    this.received = this.received.slice(end + 4 + length)
    return { status, headers, body }
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}

function hasBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304
}
