import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { badHeader } from '../errors.ts'
import type { Incoming } from '../requests/incoming.ts'
import type { Verification } from '../requests/verification.ts'
import type { Visitor } from './visitor.ts'

/** A request at the upload path, as Node has it: the bytes are taken from the socket's own stream. */
export class UploadRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly method: string
  /** Aborted when the client is gone before it has its answer. */
  readonly gone: AbortSignal
  #visitor: Visitor | undefined

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.incoming = incoming
    this.outgoing = outgoing
    this.method = incoming.method ?? ''
    const gone = new AbortController()
    this.gone = gone.signal
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) gone.abort(new Error('the client is gone'))
    })
  }

  /** Who makes it; that is set before anything is done about it. */
  get visitor(): Visitor {
    if (!this.#visitor) throw new Error('it was not found out who makes the request')
    return this.#visitor
  }

  set visitor(visitor: Visitor) {
    this.#visitor = visitor
  }

  /** All that was sent, where Node would give but the first. */
  get authorization(): string | undefined {
    return this.incoming.headersDistinct.authorization?.join(', ')
  }

  /** Without the query. */
  get path(): string {
    return this.incoming.url?.split('?', 1)[0] ?? ''
  }

  /** A field sent more than once is one list. */
  header(name: string): string | undefined {
    return headerOf(this.incoming.headers, name)
  }

  /** Media type without parameters, in small letters. */
  get contentType(): string | undefined {
    return this.header('Content-Type')?.split(';', 1)[0]?.trim().toLowerCase()
  }

  /** Whether bytes may come, as far as the head of the request tells. */
  get mayHaveContent(): boolean {
    return this.isChunked || (this.wholeNumber('Content-Length') ?? 0) > 0
  }

  get isChunked(): boolean {
    return this.header('Transfer-Encoding') !== undefined
  }

  /** @throws AppError `bad-header` (400): other forms of numbers are read as what they do not say. */
  wholeNumber(name: string): number | undefined {
    const text = this.header(name)
    if (text === undefined) return undefined
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value)) return value
    throw badHeader(`${name} has to be a whole number of bytes.`)
  }

  /** The body, as bytes of an upload. */
  bytes(verification?: Verification): Incoming {
    const announced = this.wholeNumber('Content-Length')
    return { stream: this.incoming, announced, verification }
  }
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}
