import { crc32 } from 'node:zlib'
import type { MemoryShare, StoredBlock } from '../memory/share.ts'

/** A part's bytes on their way to storage: what it is to hold, and the memory it is in. */
export interface FilledPart extends StoredBlock {
  /** Empty once the block is released. */
  readonly bytes: Buffer
  readonly crc32: number
}

const empty = Buffer.allocUnsafeSlow(0)
const nothing = { size: 0, crc32: 0 }

/**
 * Collects the bytes of a part in one piece of memory, which grows with what arrives. The CRC-32
 * of the bytes is computed as they are copied in, so that whatever happens to them from then on is
 * found.
 */
export class PartBuffer {
  readonly #share: MemoryShare
  #block = empty
  #size = 0
  #crc32 = 0
  #aside = nothing

  constructor(share: MemoryShare) {
    this.#share = share
  }

  get size(): number {
    return this.#size
  }

  get crc32(): number {
    return this.#crc32
  }

  hasRoom(bytes: number): boolean {
    return this.#size + bytes <= this.#block.length
  }

  /** Makes room for so many more bytes of a part of `full`. @throws the signal's reason. */
  async grow(bytes: number, full: number, signal: AbortSignal): Promise<void> {
    this.#block = await this.#share.grow(this.#block, this.#size + bytes, full, signal)
  }

  /** There must be room. */
  append(chunk: Buffer): void {
    chunk.copy(this.#block, this.#size)
    this.#size += chunk.length
    this.#crc32 = crc32(chunk, this.#crc32)
  }

  /**
   * Sets what was collected aside, to be put back behind `bytes` that come before it; there must be
   * room for both.
   */
  setAside(bytes: number): void {
    this.#block.copyWithin(bytes, 0, this.#size)
    this.#aside = { size: this.#size, crc32: this.#crc32 }
    this.#size = 0
    this.#crc32 = 0
  }

  /** Only once all of those bytes have come. */
  putBack(): void {
    const bytes = this.#block.subarray(this.#size, this.#size + this.#aside.size)
    if (crc32(bytes) !== this.#aside.crc32) throw new Error('Bytes changed in memory')
    this.#crc32 = crc32(bytes, this.#crc32)
    this.#size += bytes.length
    this.#aside = nothing
  }

  /** Gives memory back that no byte is in. @returns whether there was much of it. */
  shrink(): boolean {
    const before = this.#block.length
    this.#block = this.#share.shrink(this.#block, this.#size)
    return this.#block.length < before
  }

  /** Hands over what was collected; the next part begins empty. */
  take(): FilledPart {
    const { release } = this.#share.store(this.#block)
    const part = { bytes: this.#block.subarray(0, this.#size), crc32: this.#crc32, release }
    this.#block = empty
    this.#size = 0
    this.#crc32 = 0
    return part
  }
}
