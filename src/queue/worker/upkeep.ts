import type { JobKind } from '../kinds.ts'
import type { QueueContext } from './context.ts'
import type { StoredJobHandler } from './handlers.ts'
import { afterLoss, burial } from './outcomes.ts'
import { type LostJob, lostJobsBatch } from './store.ts'

const keepDoneMs = 86_400_000
/** A job that so many processes did not survive is what ends them. */
const mostLosses = 100

/** Brings back the jobs of holders that are gone, and forgets jobs that were done long ago. */
export class Upkeep {
  readonly #context: QueueContext
  readonly #handlers: ReadonlyMap<JobKind, StoredJobHandler>
  #deadHoldersDone = false

  constructor(context: QueueContext, handlers: ReadonlyMap<JobKind, StoredJobHandler>) {
    this.#context = context
    this.#handlers = handlers
  }

  /**
   * Takes jobs from holders whose leases have run out, and the first time also from those that are
   * provably dead. Returns how many; a job that could not be moved is reported and left.
   */
  async recover(): Promise<number> {
    const { store } = this.#context
    const kinds = [...this.#handlers.keys()]
    if (kinds.length === 0) return 0
    const recovered = await this.#recoverFromDeadHolders(kinds)
    return recovered + (await this.#recoverAll(() => store.findExpired(kinds)))
  }

  sweep(): Promise<void> {
    return this.#context.store.sweep(keepDoneMs)
  }

  async #recoverFromDeadHolders(kinds: readonly JobKind[]): Promise<number> {
    if (this.#deadHoldersDone) return 0
    const { store, instance } = this.#context
    const dead = (await store.findHolders()).filter(instance.isDeadHolder)
    const recovered =
      dead.length > 0 ? await this.#recoverAll(() => store.findHeldBy(kinds, dead)) : 0
    this.#deadHoldersDone = true
    return recovered
  }

  async #recoverAll(find: () => Promise<LostJob[]>): Promise<number> {
    let total = 0
    for (;;) {
      const found = await find()
      let recovered = 0
      for (const job of found) if (await this.#recoverJob(job)) recovered++
      total += recovered
      // Without progress the next batch would be the same one.
      if (found.length < lostJobsBatch || recovered === 0) return total
    }
  }

  async #recoverJob(job: LostJob): Promise<boolean> {
    const { store, report, now } = this.#context
    const about = { kind: job.kind, jobId: job.id, attempt: job.attempts }
    try {
      if (job.losses < mostLosses) {
        const queued = await store.requeue(job, afterLoss(job, now()))
        if (queued) report({ type: 'recovered', ...about, holder: job.holder })
        return queued
      }
      const reason = 'every process that ran it went away'
      const buried = await this.#bury(job, reason)
      if (buried) report({ type: 'dead', ...about, error: new Error(reason) })
      return buried
    } catch (error) {
      report({ type: 'trouble', doing: 'recover', error })
      return false
    }
  }

  #bury(job: LostJob, reason: string): Promise<boolean> {
    const { store, now } = this.#context
    const handler = this.#handlers.get(job.kind)
    return store.bury(job, burial(job, now(), 'lost', reason), async (trx) => {
      await handler?.onDead(trx, job.payload, reason)
    })
  }
}
