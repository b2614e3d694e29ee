import type { Readable } from 'node:stream'
import type { AppError } from '../errors.ts'
import { uploadTooLong } from '../storage/errors.ts'

/** Chunks taken from the socket before it is left unread. */
const readAhead = 2

export interface RequestBodyOptions {
  /** Once aborted the body ends, without an error, after what was taken from the socket. */
  readonly until: AbortSignal
  /** Bytes it may have; more of them end it with an error, after those that may be. */
  readonly limit: number
  /** That error; unset: `upload-too-long` (413). */
  readonly excess?: AppError
}

/** How a body came to its end; the first way counts. */
type Ending = 'complete' | 'not wanted any more' | Error

/**
 * The body of a request, chunk by chunk as the socket has it, and no faster than it is read. Other
 * than the stream's own iterator it leaves the stream alone at the end, so that the request can
 * still be answered. Throws what the stream breaks with, after all that arrived before.
 */
export class RequestBody implements AsyncIterable<Buffer> {
  readonly #stream: Readable
  readonly #options: RequestBodyOptions
  readonly #chunks: Buffer[] = []
  #room: number
  #ending: Ending | undefined
  #wake = () => {}

  constructor(stream: Readable, options: RequestBodyOptions) {
    this.#stream = stream
    this.#options = options
    this.#room = options.limit
  }

  /** Whether all of it was read, up to its proper end. */
  get ended(): boolean {
    return this.#ending === 'complete' && this.#chunks.length === 0
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    this.#attach()
    return {
      next: () => this.#next(),
      return: async () => {
        this.#chunks.length = 0
        this.#end('not wanted any more')
        return { done: true, value: undefined }
      },
    }
  }

  async #next(): Promise<IteratorResult<Buffer, undefined>> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk) {
        if (this.#ending === undefined && this.#chunks.length < readAhead) this.#stream.resume()
        return { done: false, value: chunk }
      }
      if (this.#ending instanceof Error) throw this.#ending
      if (this.#ending !== undefined) return { done: true, value: undefined }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  #attach(): void {
    const { until } = this.#options
    until.addEventListener('abort', this.#onAbort, { once: true })
    this.#stream
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose)
      .on('data', this.#onData)
    if (until.aborted) this.#onAbort()
    else if (this.#stream.readableEnded) this.#onEnd()
    else if (this.#stream.destroyed) this.#onClose()
  }

  #end(ending: Ending): void {
    if (this.#ending === undefined) {
      this.#ending = ending
      this.#detach()
    }
    this.#wake()
  }

  /** While nobody took anything, the stream read on a little: that arrived, too. */
  #endBroken(error: Error): void {
    this.#stream.off('data', this.#onData)
    while (this.#ending === undefined) {
      const chunk: Buffer | null = this.#stream.read()
      if (chunk === null) break
      this.#onData(chunk)
    }
    this.#end(error)
  }

  #detach(): void {
    this.#options.until.removeEventListener('abort', this.#onAbort)
    this.#stream
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('close', this.#onClose)
      .off('error', this.#onError)
      .pause()
    // What happens to the connection from now on is for those who answer.
    if (!this.#stream.destroyed) this.#stream.on('error', () => {})
  }

  readonly #onData = (chunk: Buffer): void => {
    const taken = chunk.subarray(0, this.#room)
    this.#room -= taken.length
    if (taken.length > 0) this.#chunks.push(taken)
    if (taken.length < chunk.length) this.#end(this.#options.excess ?? uploadTooLong())
    else if (this.#chunks.length >= readAhead) this.#stream.pause()
    this.#wake()
  }

  readonly #onEnd = (): void => this.#end('complete')
  readonly #onError = (error: Error): void => this.#endBroken(error)
  readonly #onAbort = (): void => this.#end('not wanted any more')
  readonly #onClose = (): void =>
    this.#endBroken(new Error('the connection closed before the body ended'))
}
