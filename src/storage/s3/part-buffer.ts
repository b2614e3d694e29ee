const smallest = 64 * 2 ** 10

/**
 * Collects the bytes of a part in one piece of memory. It grows with what arrives, at most to
 * twice of that, so that an idle client holds nothing, and is used again for the next part.
 */
export class PartBuffer {
  #memory = Buffer.alloc(0)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** What was collected. Valid until the next call of `append`. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#size)
  }

  /** @param limit Bytes the part will not exceed: memory beyond is not taken. */
  append(chunk: Buffer, limit: number): void {
    const size = this.#size + chunk.length
    if (size > this.#memory.length) this.#grow(size, limit)
    chunk.copy(this.#memory, this.#size)
    this.#size = size
  }

  clear(): void {
    this.#size = 0
  }

  #grow(size: number, limit: number): void {
    const doubled = Math.min(limit, Math.max(smallest, 2 * this.#memory.length))
    const memory = Buffer.allocUnsafe(Math.max(size, doubled))
    this.bytes.copy(memory)
    this.#memory = memory
  }
}
