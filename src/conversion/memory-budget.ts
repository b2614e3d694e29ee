interface Waiter {
  readonly bytes: number
  grant(): void
}

/**
 * Bytes to be shared. They are given in the order they were asked for: while the first in line waits
 * for its turn, nobody who came later gets any, however little they want, so that a large request is
 * not starved by small ones.
 */
export class MemoryBudget {
  readonly #total: number
  readonly #waiting: Waiter[] = []
  #taken = 0

  /** @param total bytes */
  constructor(total: number) {
    this.#total = total
  }

  /**
   * Resolves with the function that gives the bytes back, once there is room for them; giving back
   * twice is giving back once. A request for more than there is at all waits until it is alone.
   * @throws the signal's reason when it is aborted while waiting.
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#waiting.length > 0 || !this.#hasRoomFor(bytes)) await this.#wait(bytes, signal)
    else this.#taken += bytes
    let given = true
    return () => {
      if (given) this.#taken -= bytes
      given = false
      this.#grant()
    }
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abandon = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal.reason)
        this.#grant()
      }
      const waiter = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', abandon)
          resolve()
        },
      }
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #grant(): void {
    for (let [next] = this.#waiting; next && this.#hasRoomFor(next.bytes); [next] = this.#waiting) {
      this.#waiting.shift()
      this.#taken += next.bytes
      next.grant()
    }
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#total
  }
}
