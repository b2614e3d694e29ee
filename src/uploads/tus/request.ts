import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../../errors.ts'

const base = 'http://landfall'

/**
 * A request as @tus/server reads it, which is only `method`, `url` and `headers`. A `Request` would
 * say the same, and take longer to make than everything else that is done before the first byte of a
 * small file; nor has this one a body: the bytes are taken from the socket's own stream.
 */
export class TusRequest {
  readonly method: string
  readonly headers: RequestHeaders
  readonly incoming: IncomingMessage
  /** Aborted when the client is gone before it has its answer. */
  readonly gone: AbortSignal

  /** @throws AppError `bad-request` (400) */
  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.method = methodOf(incoming)
    this.headers = new RequestHeaders(incoming.headers)
    this.incoming = incoming
    if (!isProper(this.method) || !URL.canParse(incoming.url ?? '/', base)) {
      throw new AppError('bad-request', 400, 'The request cannot be understood.')
    }
    const gone = new AbortController()
    this.gone = gone.signal
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) gone.abort(new Error('the client is gone'))
    })
  }

  get url(): string {
    return new URL(this.incoming.url ?? '/', base).href
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

/** What of `Headers` is needed to read those of a request; those sent more than once are one list. */
export class RequestHeaders {
  readonly #values: IncomingHttpHeaders

  constructor(values: IncomingHttpHeaders) {
    this.#values = values
  }

  get(name: string): string | null {
    const value = this.#values[name.toLowerCase()]
    return (Array.isArray(value) ? value.join(', ') : value) ?? null
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  *entries(): Generator<[string, string]> {
    for (const name in this.#values) {
      const value = this.get(name)
      if (value !== null) yield [name, value]
    }
  }
}

function isProper(method: string): boolean {
  return /^[A-Z]{1,16}$/.test(method) && !/^(CONNECT|TRACE|TRACK)$/.test(method)
}

/** What is meant: some proxies let only GET and POST through. */
function methodOf({ method, headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return (typeof override === 'string' && override.toUpperCase()) || method || ''
}
