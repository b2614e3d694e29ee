import { uploadTooLong } from './errors.ts'

/**
 * A request's body as storage reads it: how it ends is kept for later, since what arrived before
 * is to be stored either way. It is read with `next`, or as a whole with `chunks`.
 */
export class ArrivingBody {
  readonly #source: AsyncIterable<Buffer>
  #iterator: AsyncIterator<Buffer> | undefined
  #room: number
  #ended = false
  #isWaiting = false
  #failure: { readonly error: unknown } | undefined

  /** @param room Bytes the upload still takes; a body with more fails there. */
  constructor(source: AsyncIterable<Buffer>, room: number) {
    this.#source = source
    this.#room = room
  }

  /** Ends quietly when the body fails. An error of the consumer is not the body's and passes. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (let chunk = await this.next(); chunk; chunk = await this.next()) yield chunk
    } finally {
      await this.return()
    }
  }

  /** What arrives next; undefined when nothing more does, also when the body failed. */
  async next(): Promise<Buffer | undefined> {
    try {
      while (!this.#ended) {
        this.#iterator ??= this.#source[Symbol.asyncIterator]()
        this.#isWaiting = true
        const { value: chunk, done } = await this.#iterator.next()
        this.#isWaiting = false
        if (done) this.#ended = true
        else if (chunk.length > this.#room) return await this.#cut(chunk)
        else if (chunk.length > 0) {
          this.#room -= chunk.length
          return chunk
        }
      }
    } catch (error) {
      this.#ended = true
      this.#failure ??= { error }
    }
    return undefined
  }

  /**
   * Tells the source that nobody reads on. What it says to that is of no interest; nor is it waited
   * for when the source itself waits for something, as a generator then answers after that.
   */
  async return(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const returned = this.#iterator?.return?.().catch(() => {})
    if (!this.#isWaiting) await returned
  }

  /** @throws what the body ended with, if it did not simply end. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }

  /** The last bytes that the upload takes, of a body that has more. */
  async #cut(chunk: Buffer): Promise<Buffer | undefined> {
    const taken = chunk.subarray(0, this.#room)
    this.#room = 0
    await this.return()
    this.#failure = { error: uploadTooLong() }
    return taken.length > 0 ? taken : undefined
  }
}
