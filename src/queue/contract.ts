import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import type { JobKind, JobPayloads } from './kinds.ts'

export interface EnqueueOptions {
  /** At most one unfinished job of a kind has a given key; a second one is dropped silently. */
  readonly dedupeKey?: string
  /** Higher runs first; 0 when left out. Equal ones run oldest first, to the millisecond. */
  readonly priority?: number
  /** Milliseconds since 1970 before which the job does not run. */
  readonly runAt?: number
}

export interface Attempt {
  readonly jobId: string
  /** 1 for the first attempt. */
  readonly number: number
  /** Aborted when the lease is lost or the program stops: give up, another attempt will follow. */
  readonly signal: AbortSignal
}

export interface JobHandler<K extends JobKind> {
  readonly kind: K
  /**
   * Does the work; may run more than once for one job, even at the same time after a lost lease, so
   * its effect must be idempotent. A thrown `PermanentJobError` ends the job as dead at once, a
   * `PostponedJobError` tries again later without counting the attempt, any other error is retried
   * with backoff until the attempts are used up.
   */
  run(payload: JobPayloads[K], attempt: Attempt): Promise<void>
  /**
   * Called in the transaction that makes the job dead; what it throws leaves the job as it was, to
   * be tried again. Not called for a payload that cannot be read.
   */
  onDead?(trx: Transaction<Schema>, payload: JobPayloads[K], reason: string): Promise<void>
  /**
   * Called in the transaction in which an operator has a dead job tried again, to take back what
   * `onDead` wrote. Returns false when there is nothing left to do; the job is forgotten then.
   */
  onRevived?(trx: Transaction<Schema>, payload: JobPayloads[K]): Promise<boolean>
}

/**
 * Durable jobs: at least once, by priority then age. A job is
 * `queued → active → done`, back to `queued` after a failure or a lost lease, or `dead` after a
 * permanent failure or the last attempt.
 */
export interface JobQueue {
  /** What an operator does with jobs; to be used after `prepare`. */
  readonly administration: JobAdministration
  /**
   * Makes the place where jobs are kept ready, which is to be done before anything else: the schema
   * of the engine, and what an older release left elsewhere. Safe when several processes do it at
   * the same time, and when it was done before; `stop` ends what it began.
   * @throws AppError `migration-failed`, `database-unavailable`.
   */
  prepare(): Promise<void>
  /** Adds a job as part of the caller's transaction: it exists if and only if that commits. */
  enqueue<K extends JobKind>(
    trx: Transaction<Schema>,
    kind: K,
    payload: JobPayloads[K],
    options?: EnqueueOptions,
  ): Promise<void>
  /**
   * Looks for work of these kinds, or of all, now instead of at the next poll; call it after the
   * transaction committed.
   */
  wake(...kinds: JobKind[]): void
  /**
   * Registers the handler of a kind; call before `start`. Kinds without one are left to other
   * processes.
   */
  handle<K extends JobKind>(handler: JobHandler<K>): void
  /** Begins to work; does not wait for the database. */
  start(): Promise<void>
  /**
   * Claims no more and waits for running handlers up to `graceMs`; then aborts their signals and
   * gives the jobs back with the attempt refunded. Can be called again and before `start`; never
   * rejects.
   */
  stop(graceMs: number): Promise<void>
}

/** A job as an operator sees it. Times are milliseconds since 1970. */
export interface JobRecord {
  readonly id: string
  /** A `JobKind`, or one of another release. */
  readonly kind: string
  readonly state: 'queued' | 'active' | 'done' | 'dead'
  readonly payload: unknown
  readonly priority: number
  /** Attempts that count, the one under way among them. */
  readonly attempts: number
  readonly maxAttempts: number
  readonly createdAt: number
  /** Before this it is not tried. */
  readonly runAt: number
  readonly finishedAt: number | undefined
  readonly lastError: string | undefined
}

/** One try of a job, whether or not it counted. */
export interface JobTry {
  readonly startedAt: number
  /** Undefined while it is under way. */
  readonly endedAt: number | undefined
  /** The process that had the job. */
  readonly holder: string
  /**
   * How it ended. `failed` counts as an attempt; `postponed` (something outside of it is away),
   * `returned` (the program stopped) and `lost` (the process went away) do not.
   */
  readonly outcome: 'done' | 'failed' | 'postponed' | 'returned' | 'lost' | undefined
  readonly error: string | undefined
}

export interface JobFilter {
  readonly state?: JobRecord['state'] | undefined
  readonly kind?: string | undefined
  /** Only jobs that were added before this moment. */
  readonly createdBefore?: number | undefined
}

/** How much there is to do of a kind. */
export interface QueueDepth {
  readonly kind: string
  readonly queued: number
  readonly active: number
  readonly dead: number
  /**
   * When the oldest job that waits or runs was added; undefined when there is none. One that was added
   * for a later moment does not wait before it.
   */
  readonly oldestCreatedAt: number | undefined
}

/** What an operator does with jobs. */
export interface JobAdministration {
  /** Newest first; `before` is the id of the last one of the page before. */
  list(
    filter: JobFilter,
    page: { limit: number; before?: string | undefined },
  ): Promise<JobRecord[]>
  /** A job with its tries, the oldest first; of very many, the first 5 and the last 20. */
  find(id: string): Promise<(JobRecord & { readonly tries: readonly JobTry[] }) | undefined>
  /**
   * Queues a dead job again with all its attempts anew; its tries are kept.
   * @throws AppError `job-not-found` (404), `job-not-dead` (409), `job-duplicate` (409) when another
   *   unfinished job has its dedupe key; the dead one stays.
   */
  retry(id: string): Promise<void>
  /**
   * The same for all dead jobs of a kind, some at a time. Returns how many are queued again; one for
   * which that does not work is reported and stays dead.
   */
  retryAll(kind: string): Promise<number>
  /**
   * Forgets a job, after `onDead` if it had not come to its end.
   * @throws AppError `job-not-found` (404), `job-running` (409) while it is active.
   */
  discard(id: string): Promise<void>
  /** One entry for each kind of which there are jobs that are queued, active or dead. */
  depth(): Promise<QueueDepth[]>
}

/** Thrown by a handler when no retry can help. */
export class PermanentJobError extends Error {
  override readonly name = 'PermanentJobError'
}

/**
 * Thrown by a handler when the job could not be tried for a reason outside of it, such as a storage
 * that cannot be reached: an outage of any length then kills no job.
 */
export class PostponedJobError extends Error {
  override readonly name = 'PostponedJobError'
}
