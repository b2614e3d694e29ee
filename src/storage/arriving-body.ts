import { uploadTooLong } from './errors.ts'

/**
 * A request's body as storage reads it: how it ends is kept for later, since what arrived before
 * is to be stored either way.
 */
export class ArrivingBody {
  readonly #source: AsyncIterable<Buffer>
  #room: number
  #failure: { readonly error: unknown } | undefined

  /** @param room Bytes the upload still takes; a body with more fails there. */
  constructor(source: AsyncIterable<Buffer>, room: number) {
    this.#source = source
    this.#room = room
  }

  /** Ends quietly when the body fails. An error of the consumer is not the body's and passes. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of this.#source) {
        const taken = chunk.subarray(0, this.#room)
        this.#room -= taken.length
        if (taken.length > 0) yield taken
        if (taken.length < chunk.length) throw uploadTooLong()
      }
    } catch (error) {
      this.#failure = { error }
    }
  }

  /** @throws what the body ended with, if it did not simply end. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }
}
