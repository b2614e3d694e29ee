import type { SharedMemory } from './budget.ts'
import { blockSize, type Claim, pace } from './policy.ts'

/** Milliseconds within which a fast upload fills a part. */
const soon = 2_000

/** A block on its way to storage. */
export interface StoredBlock {
  /**
   * Gives it back, once.
   *
   * @param reusable Whether surely nobody reads it any more. After a failed call a socket may.
   */
  release(reusable: boolean): void
}

/**
 * The memory of one upload: one block that is being filled, and blocks that are being stored. How
 * the budget sees it is its claim; what it tells the upload is `spilling`.
 */
export class MemoryShare implements Claim {
  readonly #shared: SharedMemory
  filling = 0
  storing = 0
  wants: { size: number; since: number; granted: () => void } | undefined
  silentSince: number | undefined
  waited = 0
  spillingSince: number | undefined
  spills = 0
  overdraws = false
  isFast = false
  #begun = 0
  /** Bytes that came while it waited. */
  #came = 0
  /** Bytes of the part that is being filled, once it is full. */
  full = 0
  /** Called when it is told to spill. */
  onSpill: () => void = () => {}

  constructor(shared: SharedMemory) {
    this.#shared = shared
  }

  /** Whether it is to store what it has, and to free its memory. */
  get spilling(): boolean {
    return this.spillingSince !== undefined
  }

  /** Whether others wait for memory: a reason to take no more than one must. */
  get isCrowded(): boolean {
    return this.#shared.isWaiting(this)
  }

  /**
   * Makes the filled block so large that `bytes` of a part of `full` fit in; what is in it is
   * copied. An upload that is fast, while there is plenty, gets the block for the whole part at
   * once. Returns a promise only when it has to wait.
   * @throws the signal's reason, and takes nothing then.
   */
  grow(
    block: Buffer<ArrayBuffer>,
    bytes: number,
    full: number,
    signal: AbortSignal,
  ): Buffer<ArrayBuffer> | Promise<Buffer<ArrayBuffer>> {
    const isFirst = block.length === 0
    if (isFirst) this.#begun = performance.now()
    const size = isFirst && this.isFast && this.#isRoomy(full) ? full : blockSize(bytes, full)
    this.full = full
    if (this.#shared.hasRoom(this, size)) {
      this.#resize(size)
      return this.#copy(block, size)
    }
    return this.#wait(size, signal).then(() => this.#copy(block, size))
  }

  /** Puts what is in the block into the smallest that takes it. */
  shrink(block: Buffer<ArrayBuffer>, bytes: number): Buffer<ArrayBuffer> {
    const size = blockSize(bytes, block.length)
    if (size === block.length) return block
    this.#resize(size)
    const smaller = this.#shared.pool.take(size)
    block.copy(smaller, 0, 0, bytes)
    this.#shared.pool.give(block)
    this.#shared.settle()
    return smaller
  }

  /** The block is no longer filled but stored; the next one may be taken. */
  store(block: Buffer<ArrayBuffer>): StoredBlock {
    const size = block.length
    this.filling -= size
    this.storing += size
    this.overdraws = false
    let released = false
    return {
      release: (reusable) => {
        if (released) return
        released = true
        this.storing -= size
        this.#shared.add(-size)
        if (reusable) this.#shared.pool.give(block)
        this.#shared.settle()
      },
    }
  }

  /** Says that it waits for its client from now on. */
  listen(): void {
    this.silentSince ??= performance.now()
  }

  /** Says that it no longer does: so many bytes came, or it has something else to do. */
  heard(bytes: number): void {
    if (this.silentSince === undefined) return
    this.waited += performance.now() - this.silentSince
    this.silentSince = undefined
    this.#came += bytes
    if (this.#came < pace) return
    this.#came = 0
    this.waited = 0
  }

  /** It did what it was told; `stored` when that took more than to use a smaller block. */
  spilled(stored: boolean): void {
    this.spillingSince = undefined
    this.overdraws = false
    if (stored) {
      this.spills += 1
      this.isFast = false
    }
    this.#shared.settle()
  }

  /** It filled a part, and is like any other again. */
  filledPart(): void {
    this.spills = 0
    this.isFast = performance.now() - this.#begun < soon
  }

  /** Frees everything. The block that is being filled must not be used any more. */
  close(): void {
    this.wants = undefined
    this.silentSince = undefined
    this.overdraws = false
    this.#shared.add(-this.filling - this.storing)
    this.filling = 0
    this.storing = 0
    this.#shared.leave(this)
  }

  /** For the budget: it has what it wants. */
  grant(): void {
    if (!this.wants) return
    const { size, granted } = this.wants
    this.wants = undefined
    this.#resize(size)
    granted()
  }

  /** For the budget: it may go over. */
  overdraw(): void {
    this.overdraws = true
  }

  /** For the budget. */
  tellToSpill(): void {
    if (this.spilling) return
    this.spillingSince = performance.now()
    this.onSpill()
  }

  #isRoomy(full: number): boolean {
    const { limit } = this.#shared
    return full <= limit / 4 && this.#shared.hasRoom(this, full + limit / 4)
  }

  #wait(size: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const abort = () => {
        this.wants = undefined
        reject(signal.reason)
        this.#shared.settle()
      }
      signal.addEventListener('abort', abort, { once: true })
      const granted = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      this.wants = { size, since: performance.now(), granted }
      this.#shared.settle()
    })
  }

  #copy(block: Buffer<ArrayBuffer>, size: number): Buffer<ArrayBuffer> {
    const larger = this.#shared.pool.take(size)
    block.copy(larger)
    if (block.length > 0) this.#shared.pool.give(block)
    return larger
  }

  #resize(size: number): void {
    this.#shared.add(size - this.filling)
    this.filling = size
  }
}
