/** Lets one waiter go on when any of several things happened. It looks itself what it was. */
export class Wake {
  #isCalled = false
  #resolve: (() => void) | undefined

  readonly call = (): void => {
    this.#isCalled = true
    this.#resolve?.()
  }

  /** Until the next call, or not at all when there was one since the last wait. */
  async wait(): Promise<void> {
    if (!this.#isCalled) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
      })
    }
    this.#isCalled = false
    this.#resolve = undefined
  }
}
