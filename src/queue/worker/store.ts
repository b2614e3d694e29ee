/**
 * What an engine of the queue knows how to write down. Which jobs run, how often, and what becomes
 * of them is decided above it, once for all engines.
 *
 * ```
 *          claim                complete
 * queued ─────────▶ active ──────────────▶ done ──sweep──▶ (gone)
 *   ▲ ▲               │ │
 *   │ └───────────────┘ └────────────────▶ dead ──remove─▶ (gone)
 *   │     requeue              bury          │
 *   └────────────────────────────────────────┘
 *                      revive
 * ```
 *
 * A claim gives a lease with a token made for this claim alone. Every way out of `active` names it,
 * changes nothing when the job carries another one or none, and says so by returning false. So of
 * all who ever held a job only the last one decides.
 */
import type { Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import type { EnqueueOptions, JobRecord, QueueDepth } from '../contract.ts'
import type { JobKind } from '../kinds.ts'

export interface NewJob extends EnqueueOptions {
  readonly kind: JobKind
  /** As JSON. */
  readonly payload: string
  readonly maxAttempts: number
}

/** A job under a lease. */
export interface LeasedJob {
  readonly id: string
  readonly kind: JobKind
  readonly payload: string
  /** Those before and this one. */
  readonly attempts: number
  readonly maxAttempts: number
  /** How often the process that ran it went away. */
  readonly losses: number
  /** How its earlier tries ended, as `addTry` writes it. */
  readonly tries: string | null
  readonly startedAt: number
  readonly holder: string
  readonly token: string
}

/** An active job whose holder seems to be gone. */
export interface LostJob extends LeasedJob {
  /** The sign of life that was seen; a holder that gave another one since has not lost the job. */
  readonly seen: string
}

/** How a job goes back to `queued`. */
export interface Requeue {
  readonly attempts: number
  readonly maxAttempts: number
  readonly losses: number
  readonly tries: string
  readonly lastError: string
  /** Milliseconds until it may run; left out, at once. */
  readonly delayMs?: number
}

export interface Burial {
  readonly tries: string
  readonly lastError: string
}

/** A job as it is stored, for whoever looks into it or decides about it. */
export interface StoredJob {
  readonly record: JobRecord
  /** As JSON, or what was found in its place. */
  readonly payloadText: string
  readonly tries: string | null
  /** Of the latest try. */
  readonly startedAt: number | undefined
  readonly holder: string | undefined
}

/** Which jobs of a kind and state are listed, the newest first. */
export interface Page {
  /** Only ids below this one. */
  readonly before: string | undefined
  readonly createdBefore: number | undefined
  readonly limit: number
}

/** No more than this many lost jobs are found at once. */
export const lostJobsBatch = 100

/** What working on jobs needs. */
export interface WorkStore {
  /** (nothing) → queued, unless an unfinished job of this kind has the same dedupe key. */
  insert(trx: Transaction<Schema>, job: NewJob): Promise<void>
  /** queued → active: the next job of a kind, if one is due. Counts the attempt. */
  claim(kind: JobKind): Promise<LeasedJob | undefined>
  /** active → active: the leases run from now on anew. Returns the tokens that still hold their jobs. */
  extend(jobs: readonly LeasedJob[]): Promise<ReadonlySet<string>>
  /** active → done. */
  complete(job: LeasedJob): Promise<boolean>
  /** active → queued. */
  requeue(job: LeasedJob | LostJob, how: Requeue): Promise<boolean>
  /** active → dead; `alongside` is part of the same transaction and can stop it by throwing. */
  bury(
    job: LeasedJob | LostJob,
    how: Burial,
    alongside: (trx: Transaction<Schema>) => Promise<void>,
  ): Promise<boolean>
  /** Active jobs of these kinds whose lease has run out, the longest silent first; at most a batch. */
  findExpired(kinds: readonly JobKind[]): Promise<LostJob[]>
  /** Everybody who holds a job. */
  findHolders(): Promise<string[]>
  /** Active jobs of these kinds held by one of `holders`; at most a batch. */
  findHeldBy(kinds: readonly JobKind[], holders: readonly string[]): Promise<LostJob[]>
  /** done → (gone), for jobs that were done at least `ageMs` ago, and what else there is to tidy up. */
  sweep(ageMs: number): Promise<void>
}

/** What looking after jobs needs. Every call reads as much as it returns and not more. */
export interface AdministrationStore {
  /** Every kind there are jobs of, and possibly some of which there are none. */
  kinds(): Promise<string[]>
  newest(kind: string, state: JobRecord['state'], page: Page): Promise<JobRecord[]>
  find(id: string): Promise<StoredJob | undefined>
  /** As `find`, and nobody else changes the job until the transaction has ended. */
  lock(trx: Transaction<Schema>, id: string): Promise<StoredJob | undefined>
  /** Dead jobs of a kind, in the order of their ids from `after` on. */
  dead(kind: string, after: string | undefined, limit: number): Promise<string[]>
  /**
   * dead → queued, for a job that is locked. Returns false when another unfinished job has its
   * dedupe key.
   */
  revive(trx: Transaction<Schema>, job: StoredJob, maxAttempts: number): Promise<boolean>
  /** (any) → (gone), for a job that is locked. */
  remove(trx: Transaction<Schema>, job: StoredJob): Promise<void>
  depth(): Promise<QueueDepth[]>
}

export interface JobStore extends WorkStore, AdministrationStore {
  /** See `JobQueue.prepare`. */
  prepare(): Promise<void>
  /** Ends what `prepare` began; never rejects. */
  close(): Promise<void>
}
