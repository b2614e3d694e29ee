/** Nobody waits longer, whatever became of those before. */
const mostMs = 600_000

/** One after the other for those who are about to do the same, in this process. */
export class Turns {
  readonly #running = new Map<string, Promise<void>>()
  readonly #mostMs: number

  constructor(waitMs = mostMs) {
    this.#mostMs = waitMs
  }

  /**
   * Runs `work` when nobody else is at work under that name, or after the longest wait.
   * @throws what `signal` is aborted with while it waits.
   */
  async run<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    let wait: AbortSignal | undefined
    for (;;) {
      const before = this.#running.get(name)
      if (before === undefined) return this.#alone(name, work)
      wait ??= AbortSignal.any([signal, AbortSignal.timeout(this.#mostMs)])
      await either(before, wait)
      signal.throwIfAborted()
      if (wait.aborted) return work()
    }
  }

  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    this.#running.set(name, over)
    try {
      return await work()
    } finally {
      this.#running.delete(name)
      resolve()
    }
  }
}

/** Passes with the promise, which never rejects, or the signal. */
async function either(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  const stop = () => resolve()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  await Promise.race([promise, aborted])
  signal.removeEventListener('abort', stop)
}
