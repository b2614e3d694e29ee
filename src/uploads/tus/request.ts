import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../../errors.ts'

/**
 * A request as @tus/server reads it, without a body: the bytes are taken from the socket's own
 * stream, with nothing in between.
 */
export class TusRequest extends Request {
  readonly incoming: IncomingMessage
  /** Aborted when the client is gone before it has its answer. */
  readonly gone: AbortSignal

  /** @throws AppError `bad-request` (400) */
  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    const { url, method, headers } = readRequest(incoming)
    super(url, { method, headers })
    this.incoming = incoming
    const gone = new AbortController()
    this.gone = gone.signal
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) gone.abort(new Error('the client is gone'))
    })
  }

  /** The last segment of the path, whatever query follows it. */
  get lastSegment(): string {
    return new URL(this.url).pathname.replace(/\/$/, '').split('/').at(-1) ?? ''
  }

  /** Bytes the body is announced to have; undefined when it is not. */
  get announced(): number | undefined {
    return this.wholeNumber('Content-Length')
  }

  /** @throws AppError `bad-header` (400): other forms of numbers are read as what they do not say. */
  wholeNumber(name: string): number | undefined {
    const text = this.headers.get(name)
    if (text === null) return undefined
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value)) return value
    throw new AppError('bad-header', 400, `${name} has to be a whole number of bytes.`)
  }
}

function readRequest(incoming: IncomingMessage) {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  const url = URL.parse(incoming.url ?? '/', 'http://landfall')
  const method = methodOf(incoming)
  if (!url || !/^[A-Z]{1,16}$/.test(method) || /^(CONNECT|TRACE|TRACK)$/.test(method)) {
    throw new AppError('bad-request', 400, 'The request cannot be understood.')
  }
  return { url, method, headers }
}

/** What is meant: some proxies let only GET and POST through. */
function methodOf({ method, headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return (typeof override === 'string' && override.toUpperCase()) || method || ''
}
