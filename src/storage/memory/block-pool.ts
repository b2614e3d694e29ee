const idleLimit = 5_000

interface FreeBlock {
  readonly block: Buffer<ArrayBuffer>
  readonly since: number
}

/**
 * Blocks of memory to be used again, by size: taking 8 MiB from the system and giving it back costs
 * more than filling it. What nobody wanted for some seconds goes back to the system.
 */
export class BlockPool {
  /** By size; in each list the one that was given back last is at the end, and taken first. */
  readonly #free = new Map<number, FreeBlock[]>()
  #freeBytes = 0
  #timer: NodeJS.Timeout | undefined

  /** Bytes that lie ready. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A block of exactly so many bytes. What is in it is of somebody else. */
  take(size: number): Buffer<ArrayBuffer> {
    const found = this.#free.get(size)?.pop()
    if (!found) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return found.block
  }

  /** Only for blocks that nobody uses any more, not even a socket that was closed. */
  give(block: Buffer<ArrayBuffer>): void {
    const list = this.#free.get(block.length) ?? []
    list.push({ block, since: performance.now() })
    this.#free.set(block.length, list)
    this.#freeBytes += block.length
    this.#timer ??= setInterval(() => this.#dropIdle(), idleLimit / 2).unref()
  }

  /** Gives memory back until at most so many bytes lie ready, the largest blocks first. */
  trim(bytes: number): void {
    for (const size of [...this.#free.keys()].sort((a, b) => b - a)) {
      const list = this.#free.get(size) ?? []
      while (this.#freeBytes > bytes && list.length > 0) this.#drop(list)
    }
  }

  #dropIdle(): void {
    const limit = performance.now() - idleLimit
    for (const [size, list] of this.#free) {
      while (list[0] && list[0].since <= limit) this.#drop(list)
      if (list.length === 0) this.#free.delete(size)
    }
    if (this.#free.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Detaching frees the memory at once: left to the garbage collector, an idle process keeps it. */
  #drop(list: FreeBlock[]): void {
    const oldest = list.shift()
    if (!oldest) return
    this.#freeBytes -= oldest.block.length
    oldest.block.buffer.transfer(0)
  }
}
