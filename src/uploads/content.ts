import { createHash } from 'node:crypto'
import type { UploadPosition } from '../storage/contract.ts'
import type { Examined, UploadListener } from './listener.ts'

/**
 * Files of at most so many bytes are looked at while they arrive: to read one again costs more than
 * to hash it along. With larger ones it is the other way round, as hashing holds up all that arrives.
 */
const largest = 2 ** 20
/** Bytes, and milliseconds, for which hashing waits for a moment when nothing else is to be done. */
const mostUnhashed = 256 * 1024
const hashAfter = 10

/** What was seen of a file all of which arrived in one request. */
export interface ArrivedContent {
  /** Of all its bytes, in hex. */
  readonly sha256: string
  /** Its first bytes. */
  readonly head: Buffer
}

/** Passes a body on and looks at it meanwhile. Its chunks must stay as they are. */
export interface ContentObserver extends AsyncIterable<Buffer> {
  /** Begins to examine the file, if all of it has passed. Never throws. */
  examine(): void
  /** What the file is that has passed, or undefined when that is not one of exactly so many bytes. */
  examined(size: number): Promise<Examined | undefined>
}

export type Examiner = Pick<UploadListener, 'headSize' | 'examine'>

/** Looks at the body of a request if it may be all of a small file, and leaves others alone. */
export function observe(
  body: AsyncIterable<Buffer>,
  { offset, length = Infinity }: Pick<UploadPosition, 'offset' | 'length'>,
  examiner: Examiner,
): ContentObserver {
  const isSmall = offset === 0 && length <= largest
  return isSmall ? new Observed(body, length, examiner) : new Unobserved(body)
}

class Unobserved implements ContentObserver {
  readonly #body: AsyncIterable<Buffer>

  constructor(body: AsyncIterable<Buffer>) {
    this.#body = body
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this.#body[Symbol.asyncIterator]()
  }

  examine(): void {}

  async examined(): Promise<undefined> {
    return undefined
  }
}

class Observed implements ContentObserver {
  readonly #body: AsyncIterable<Buffer>
  readonly #length: number
  readonly #examiner: Examiner
  readonly #hash = createHash('sha256')
  #unhashed: Buffer[] = []
  #unhashedBytes = 0
  #timer: NodeJS.Timeout | undefined
  #head = Buffer.alloc(0)
  #size = 0
  #examined: Promise<Examined> | undefined

  constructor(body: AsyncIterable<Buffer>, length: number, examiner: Examiner) {
    this.#body = body
    this.#length = length
    this.#examiner = examiner
  }

  /** Not a generator: that would keep `return` waiting for a body that stands still. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    const chunks = this.#body[Symbol.asyncIterator]()
    return {
      next: async () => {
        const result = await chunks.next()
        if (!result.done) this.#see(result.value)
        return result
      },
      return: async () => (await chunks.return?.()) ?? { done: true, value: undefined },
    }
  }

  examine(): void {
    // Whoever asks for the result hears of it.
    if (this.#size === this.#length) this.#begin().catch(() => {})
  }

  async examined(size: number): Promise<Examined | undefined> {
    return this.#size === size && size === this.#length ? this.#begin() : undefined
  }

  #begin(): Promise<Examined> {
    this.#examined ??= this.#examine()
    return this.#examined
  }

  async #examine(): Promise<Examined> {
    this.#hashArrived()
    return this.#examiner.examine({ sha256: this.#hash.digest('hex'), head: this.#head })
  }

  #see(chunk: Buffer): void {
    this.#size += chunk.length
    // Then it is no file that can be known any more.
    if (this.#size > this.#length) return
    const missing = this.#examiner.headSize - this.#head.length
    if (missing > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)])
    this.#unhashed.push(chunk)
    this.#unhashedBytes += chunk.length
    if (this.#unhashedBytes >= mostUnhashed) this.#hashArrived()
    else this.#timer ??= setTimeout(() => this.#hashArrived(), hashAfter)
  }

  #hashArrived(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const chunk of this.#unhashed.splice(0)) this.#hash.update(chunk)
    this.#unhashedBytes = 0
  }
}
