/** A time limit that can be suspended. */
export class Deadline implements Disposable {
  readonly #passed: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(passed: () => void) {
    this.#passed = passed
  }

  /** @param ms milliseconds from now */
  start(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#passed, ms)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}
