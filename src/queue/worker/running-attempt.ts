import type { Attempt } from '../contract.ts'
import type { LeasedJob } from './store.ts'

/** A job whose handler runs in this process. */
export class RunningAttempt {
  readonly job: LeasedJob
  /** As far as this process knows. */
  leaseUntil: number
  /** The handler is done and the end is being written, after which the lease is no longer there. */
  ending = false
  readonly #given = new AbortController()

  constructor(job: LeasedJob, leaseUntil: number) {
    this.job = job
    this.leaseUntil = leaseUntil
  }

  get attempt(): Attempt {
    return { jobId: this.job.id, number: this.job.attempts, signal: this.signal }
  }

  /** What every report of this attempt says. */
  get about() {
    return { kind: this.job.kind, jobId: this.job.id, attempt: this.job.attempts }
  }

  get signal(): AbortSignal {
    return this.#given.signal
  }

  /** The job is no longer ours: the handler is told, and how it ends will not be written. */
  giveUp(reason: string): void {
    this.#given.abort(new Error(reason))
  }

  get givenUp(): boolean {
    return this.signal.aborted
  }
}
