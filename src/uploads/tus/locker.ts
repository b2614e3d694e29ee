import type { Lock, Locker, RequestRelease } from '@tus/server'
import { AppError } from '../../errors.ts'

interface Holder {
  readonly requestRelease: RequestRelease
  readonly released: Promise<void>
  release(): void
}

/**
 * One request at a time for an upload, within this process. A newcomer asks the holder to let go and
 * sleeps until it has; it does not poll. A lock that cannot be had in time is answered 423, after
 * which tus clients try again and resume.
 *
 * @param settled resolves when nothing is being written to the upload any more. A lock is free only
 * then: @tus/server gives it back as soon as a connection breaks, when the bytes that arrived may
 * not be recorded yet.
 */
export function createLocker(settled: (id: string) => Promise<void>, waitMs = 10_000): Locker {
  const holders = new Map<string, Holder>()
  return { newLock: (id) => new MemoryLock(id, holders, settled, waitMs) }
}

class MemoryLock implements Lock {
  readonly #id: string
  readonly #holders: Map<string, Holder>
  readonly #settled: (id: string) => Promise<void>
  readonly #waitMs: number
  #held: Holder | undefined

  constructor(
    id: string,
    holders: Map<string, Holder>,
    settled: (id: string) => Promise<void>,
    waitMs: number,
  ) {
    this.#id = id
    this.#holders = holders
    this.#settled = settled
    this.#waitMs = waitMs
  }

  async lock(signal: AbortSignal, requestRelease: RequestRelease): Promise<void> {
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(this.#waitMs)])
    for (let holder = this.#current(); holder; holder = this.#current()) {
      await holder.requestRelease()
      await eitherOf(holder.released, giveUp)
      if (giveUp.aborted)
        throw new AppError('upload-locked', 423, 'The upload is in use by another request.')
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = { requestRelease, released: promise, release: resolve }
    this.#holders.set(this.#id, this.#held)
  }

  async unlock(): Promise<void> {
    await this.#settled(this.#id)
    this.#holders.delete(this.#id)
    this.#held?.release()
  }

  #current(): Holder | undefined {
    return this.#holders.get(this.#id)
  }
}

async function eitherOf(event: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const onAbort = () => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  await Promise.race([event, promise])
  signal.removeEventListener('abort', onAbort)
}
