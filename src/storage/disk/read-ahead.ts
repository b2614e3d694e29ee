import { setImmediate } from 'node:timers/promises'
import type { ArrivingBody } from '../arriving-body.ts'

/** At this many bytes a batch is worth a write of its own. */
const enoughToWrite = 256 * 1024
/** Reading pauses at this many bytes: as much again may be in the batch that is being written. */
const enoughToHold = 512 * 1024
/** The most buffers the system takes in one write; also bounds what tiny chunks cost. */
const chunksHeld = 1024
/** Larger chunks are written in pieces, so that a batch stays near its size. */
const pieceSize = 512 * 1024

/**
 * Reads a body while what it gave before is being written. Holds only bytes that arrived, and no
 * more than `enoughToHold` and a chunk.
 */
export class ReadAhead {
  readonly #body: ArrivingBody
  readonly #onStart: () => void
  #chunks: Buffer[] = []
  #bytes = 0
  #arrivals = 0
  #ended = false
  #interruption: { readonly error: unknown } | undefined
  #wakeReader = () => {}
  #wakeWriter = () => {}

  /** @param onStart called when the first bytes are there, before there are enough for a batch. */
  constructor(body: ArrivingBody, onStart: () => void) {
    this.#body = body
    this.#onStart = onStart
    this.#read().catch((error) => this.interrupt(error))
  }

  /**
   * What arrived since the last call, waiting for something to arrive, or undefined when all that
   * ever arrived was taken. While the body keeps coming it waits for enough of it, and never for a
   * body that stands still.
   * @throws what `interrupt` was given
   */
  async next(): Promise<readonly Buffer[] | undefined> {
    while (this.#chunks.length === 0 && !this.#ended && !this.#interruption) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wakeWriter = resolve
      await promise
    }
    let seen = -1
    while (this.#mayGrow() && seen !== this.#arrivals) {
      seen = this.#arrivals
      await setImmediate()
    }
    if (this.#interruption) throw this.#interruption.error
    return this.#chunks.length > 0 ? this.#take() : undefined
  }

  /** Drops what was read and makes `next` throw. The first error counts. */
  interrupt(error: unknown): void {
    this.#interruption ??= { error }
    this.#drop()
  }

  /** Stops reading, for good. */
  async stop(): Promise<void> {
    this.#drop()
    await this.#body.return()
  }

  async #read(): Promise<void> {
    while (!this.#ended) {
      if (this.#isFull()) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wakeReader = resolve
        await promise
        continue
      }
      const chunk = await this.#body.next()
      if (this.#ended) return
      if (chunk) this.#add(chunk)
      else this.#ended = true
      this.#wakeWriter()
    }
  }

  #add(chunk: Buffer): void {
    for (let start = 0; start < chunk.length; start += pieceSize) {
      this.#chunks.push(chunk.subarray(start, start + pieceSize))
    }
    this.#bytes += chunk.length
    this.#arrivals += 1
    if (this.#arrivals === 1) this.#onStart()
  }

  #drop(): void {
    this.#ended = true
    this.#chunks = []
    this.#bytes = 0
    this.#wakeReader()
    this.#wakeWriter()
  }

  #take(): readonly Buffer[] {
    let bytes = 0
    let count = 0
    for (const chunk of this.#chunks) {
      if (count === chunksHeld || bytes >= enoughToHold) break
      bytes += chunk.length
      count += 1
    }
    this.#bytes -= bytes
    const batch = this.#chunks.splice(0, count)
    if (!this.#isFull()) this.#wakeReader()
    return batch
  }

  #isFull(): boolean {
    return this.#bytes >= enoughToHold || this.#chunks.length >= chunksHeld
  }

  #mayGrow(): boolean {
    return !this.#ended && this.#bytes < enoughToWrite && this.#chunks.length < chunksHeld
  }
}
