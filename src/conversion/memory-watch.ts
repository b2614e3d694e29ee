import { residentBytes } from './resident-memory.ts'

/**
 * Milliseconds between two looks. A process cannot fill much more than 2 GB in a second, so what it
 * takes between two looks stays around 50 MB.
 */
const intervalMs = 25

/** What a process may have beyond the estimate before it counts as broken. */
const marginShare = 0.25
const marginBytes = 64 * 2 ** 20

/** The bytes at which a process is stopped that was admitted for `estimated`. */
export function mostBytes(estimated: number): number {
  return Math.ceil(estimated * (1 + marginShare) + marginBytes)
}

/** Looks at the memory of a process again and again, until it is stopped. */
export class MemoryWatch implements Disposable {
  readonly #timer: NodeJS.Timeout
  /** Bytes. */
  #allowed: number
  #peak = 0

  /** @param exceeded called once, with the bytes that were found, when there are too many. */
  constructor(pid: number, estimated: number, exceeded: (found: number) => void) {
    this.#allowed = mostBytes(estimated)
    this.#timer = setInterval(() => {
      const found = residentBytes(pid) ?? 0
      this.#peak = Math.max(this.#peak, found)
      if (found <= this.#allowed) return
      clearInterval(this.#timer)
      exceeded(found)
    }, intervalMs)
    this.#timer.unref()
  }

  /** The most that was seen, in bytes. */
  get peak(): number {
    return this.#peak
  }

  /** From now on the process may have what belongs to this estimate. */
  allow(estimated: number): void {
    this.#allowed = mostBytes(estimated)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
