export interface LoopOptions {
  /** The longest pause between two rounds, in milliseconds. */
  readonly everyMs: number
  readonly work: () => Promise<void>
  /** Told what a round threw; the next one follows as usual. */
  readonly onError: (error: unknown) => void
}

/** Does its work at once, whenever it is rung, and otherwise regularly; never twice at a time. */
export class Loop {
  readonly #options: LoopOptions
  #running: Promise<void> | undefined
  #stopped = false
  #rung = false
  #endPause: (() => void) | undefined

  constructor(options: LoopOptions) {
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** A ring during a round leads to another round right after it. */
  ring(): void {
    this.#rung = true
    this.#endPause?.()
  }

  /** Resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.ring()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#rung = false
      await this.#round()
      if (!this.#rung) await this.#pause()
    }
  }

  async #round(): Promise<void> {
    try {
      await this.#options.work()
    } catch (error) {
      this.#options.onError(error)
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, this.#options.everyMs)
    this.#endPause = resolve
    await promise
    clearTimeout(timer)
    this.#endPause = undefined
  }
}
