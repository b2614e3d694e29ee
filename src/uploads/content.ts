import { createHash } from 'node:crypto'
import type { UploadPosition } from '../storage/contract.ts'

/**
 * Files of at most so many bytes are looked at while they arrive: to read one again costs more than
 * to hash it along. With larger ones it is the other way round, as hashing holds up all that arrives.
 */
const largest = 2 ** 20

/** What was seen of a file all of which arrived in one request. */
export interface ArrivedContent {
  /** Of all its bytes, in hex. */
  readonly sha256: string
  /** Its first bytes. */
  readonly head: Buffer
}

/** Passes a body on and looks at it meanwhile. */
export interface ContentObserver extends AsyncIterable<Buffer> {
  /** To be asked once: what passed, or undefined when that is not a file of exactly so many bytes. */
  content(size: number): ArrivedContent | undefined
}

/**
 * Looks at the body of a request if it may be all of a small file, and leaves others alone.
 * @param headSize how many of the first bytes are kept.
 */
export function observe(
  body: AsyncIterable<Buffer>,
  { offset, length = Infinity }: Pick<UploadPosition, 'offset' | 'length'>,
  headSize: number,
): ContentObserver {
  return offset === 0 && length <= largest ? new Observed(body, headSize) : new Unobserved(body)
}

class Unobserved implements ContentObserver {
  readonly #body: AsyncIterable<Buffer>

  constructor(body: AsyncIterable<Buffer>) {
    this.#body = body
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this.#body[Symbol.asyncIterator]()
  }

  content(): undefined {
    return undefined
  }
}

class Observed implements ContentObserver {
  readonly #body: AsyncIterable<Buffer>
  readonly #headSize: number
  readonly #hash = createHash('sha256')
  #head = Buffer.alloc(0)
  #size = 0

  constructor(body: AsyncIterable<Buffer>, headSize: number) {
    this.#body = body
    this.#headSize = headSize
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

  content(size: number): ArrivedContent | undefined {
    if (this.#size !== size) return undefined
    return { sha256: this.#hash.digest('hex'), head: this.#head }
  }

  #see(chunk: Buffer): void {
    this.#hash.update(chunk)
    this.#size += chunk.length
    const missing = this.#headSize - this.#head.length
    if (missing > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)])
  }
}
