import PQueue from 'p-queue'
import { Loop } from '../../operations/loop.ts'
import { runAttempt } from './attempt.ts'
import type { QueueContext } from './context.ts'
import type { StoredJobHandler } from './handlers.ts'
import { afterReturn } from './outcomes.ts'
import { RunningAttempt } from './running-attempt.ts'
import type { LeasedJob } from './store.ts'

/**
 * The jobs of one kind in this process: claims as many as may run at once and runs them. Kinds do
 * not share a limit, so a slow one never keeps another from being worked on.
 */
export class Lane {
  readonly handler: StoredJobHandler
  readonly running = new Set<RunningAttempt>()
  readonly #context: QueueContext
  readonly #executor: PQueue
  readonly #loop: Loop
  #closed = false
  /** A claim found nothing, and nobody has told of new work since. */
  #isIdle = false

  constructor(handler: StoredJobHandler, concurrency: number, context: QueueContext) {
    this.handler = handler
    this.#context = context
    this.#executor = new PQueue({ concurrency })
    this.#loop = new Loop({
      everyMs: context.pollMs,
      work: () => this.#claimWhileFree(),
      onError: (error) => context.report({ type: 'trouble', doing: 'claim', error }),
    })
    this.#executor.addEventListener('next', () => {
      if (!this.#isIdle) this.#loop.ring()
    })
  }

  start(): void {
    this.#loop.start()
  }

  wake(): void {
    this.#isIdle = false
    this.#loop.ring()
  }

  /** Claims no more; resolves when nothing runs any more. */
  async drain(): Promise<void> {
    this.#closed = true
    await this.#loop.stop()
    await this.#executor.onIdle()
  }

  async #claimWhileFree(): Promise<void> {
    const { store, leaseMs, now } = this.#context
    while (!this.#closed && this.#executor.pending < this.#executor.concurrency) {
      const leaseUntil = now() + leaseMs
      const job = await store.claim(this.handler.kind)
      // Told of work meanwhile, the loop comes by again.
      this.#isIdle = !job
      if (!job) return
      if (this.#closed) await store.requeue(job, afterReturn(job, now()))
      else this.#launch(job, leaseUntil)
    }
  }

  #launch(job: LeasedJob, leaseUntil: number): void {
    const running = new RunningAttempt(job, leaseUntil)
    this.running.add(running)
    void this.#executor.add(async () => {
      await runAttempt(running, this.handler, this.#context)
      this.running.delete(running)
    })
  }
}
