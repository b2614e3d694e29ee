/**
 * The states of a job and every way between them.
 *
 * ```
 *          claim                complete
 * queued ─────────▶ active ──────────────▶ done ──removeDone──▶ (gone)
 *    ▲                │ │
 *    └────────────────┘ └────────────────▶ dead
 *      retry, refund,          bury
 *      requeue
 * ```
 *
 * A claim writes a lease: who holds the job, until when, and a token made for this claim alone.
 * Every way out of `active` names that token, changes nothing when the row carries another one or
 * none, and says so by returning false. So of all who ever held a job only the last one decides.
 */
import { sql } from 'kysely'
import type { Database, Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { newId } from '../../ids.ts'
import type { EnqueueOptions } from '../contract.ts'
import { type JobKind, retryPolicies } from '../kinds.ts'

/** A job under a lease. */
export interface LeasedJob {
  readonly id: string
  readonly payload: string
  /** Those before and this one. */
  readonly attempts: number
  readonly maxAttempts: number
  readonly token: string
}

/** An active job whose holder seems to be gone. */
export interface LostJob extends LeasedJob {
  readonly kind: JobKind
  readonly holder: string | null
  /** How often that happened to it before. */
  readonly losses: number
  /** As it was read: a lease that was extended since is not lost. */
  readonly leaseUntil: number
}

type Lease = Pick<LeasedJob, 'id' | 'token'> & Partial<Pick<LostJob, 'leaseUntil'>>

const noLease = { lease_holder: null, lease_token: null, lease_until: null }

/** (nothing) → queued, unless an unfinished job of this kind has the same dedupe key. */
export async function insertJob(
  trx: Transaction<Schema>,
  kind: JobKind,
  payload: string,
  now: number,
  { dedupeKey, priority = 0, runAt = now }: EnqueueOptions,
): Promise<void> {
  await trx
    .insertInto('jobs')
    .values({
      id: newId(),
      kind,
      payload,
      dedupe_key: dedupeKey ?? null,
      priority,
      state: 'queued',
      attempts: 0,
      max_attempts: retryPolicies[kind].maxAttempts,
      run_at: runAt,
      ...noLease,
      last_error: null,
      created_at: now,
      finished_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export interface Claim {
  readonly kind: JobKind
  readonly holder: string
  /** New for every claim. */
  readonly token: string
  readonly now: number
  readonly leaseUntil: number
}

/** queued → active: the next job of a kind, if one is due. Counts the attempt. */
export async function claim(database: Database, by: Claim): Promise<LeasedJob | undefined> {
  const row = await claimStatement(database, by).executeTakeFirst()
  if (!row) return undefined
  const { id, payload, attempts, max_attempts: maxAttempts } = row
  return { id, payload, attempts, maxAttempts, token: by.token }
}

/**
 * One statement, so that no two processes get the same job: SQLite lets only one of them write at a
 * time, PostgreSQL passes over rows that another one is claiming. The state is a literal because a
 * partial index is not considered for a parameter.
 */
export function claimStatement({ queries, kind: dialect }: Database, by: Claim) {
  const next = queries
    .selectFrom('jobs')
    .select('id')
    .where('state', '=', sql.lit('queued' as const))
    .where('kind', '=', by.kind)
    .where('run_at', '<=', by.now)
    .orderBy('priority', 'desc')
    .orderBy('id')
    .limit(1)
  return queries
    .updateTable('jobs')
    .set((row) => ({
      state: 'active',
      attempts: row('attempts', '+', 1),
      lease_holder: by.holder,
      lease_token: by.token,
      lease_until: by.leaseUntil,
    }))
    .where('id', '=', dialect === 'postgres' ? next.forUpdate().skipLocked() : next)
    .returning(['id', 'payload', 'attempts', 'max_attempts'])
}

/** active → active: the lease runs longer. Returns the tokens that still hold their jobs. */
export async function extendLeases(
  { queries }: Database,
  leases: readonly Lease[],
  leaseUntil: number,
): Promise<Set<string>> {
  const rows = await queries
    .updateTable('jobs')
    .set({ lease_until: leaseUntil })
    .where(
      'id',
      'in',
      leases.map((lease) => lease.id),
    )
    .where(
      'lease_token',
      'in',
      leases.map((lease) => lease.token),
    )
    .returning('lease_token')
    .execute()
  return new Set(rows.flatMap((row) => row.lease_token ?? []))
}

/** active → done. */
export function complete({ queries }: Database, lease: Lease, now: number): Promise<boolean> {
  return leave(queries, lease, { state: 'done', finished_at: now })
}

/** active → queued after a failure, to run again at `runAt`. */
export function retry(
  { queries }: Database,
  lease: Lease,
  runAt: number,
  reason: string,
): Promise<boolean> {
  return leave(queries, lease, { state: 'queued', run_at: runAt, last_error: reason })
}

/** active → queued without the attempt having counted; to run again at `runAt` if that is given. */
export function refund(
  { queries }: Database,
  job: LeasedJob,
  reason: string,
  runAt?: number,
): Promise<boolean> {
  return leave(queries, job, {
    state: 'queued',
    attempts: job.attempts - 1,
    last_error: reason,
    ...(runAt !== undefined && { run_at: runAt }),
  })
}

/**
 * active → queued because the holder is gone. A lease that was extended meanwhile stays. The attempt
 * is made up for by one more: a server that is restarted often says nothing about the job.
 */
export function requeue({ queries }: Database, job: LostJob, reason: string): Promise<boolean> {
  return leave(queries, job, {
    state: 'queued',
    last_error: reason,
    losses: job.losses + 1,
    max_attempts: job.maxAttempts + 1,
  })
}

/** active → dead; `alongside` is part of the same transaction and can stop it by throwing. */
export function bury(
  database: Database,
  job: Lease,
  now: number,
  reason: string,
  alongside: (trx: Transaction<Schema>) => Promise<void>,
): Promise<boolean> {
  return database.transaction(async (trx) => {
    const end = { state: 'dead', finished_at: now, last_error: reason } as const
    if (!(await leave(trx, job, end))) return false
    await alongside(trx)
    return true
  })
}

/** done → (gone): forgets a batch of those finished before `before`, and tells how many. */
export async function removeDone(
  { queries }: Database,
  before: number,
  batch: number,
): Promise<number> {
  const old = queries
    .selectFrom('jobs')
    .select('id')
    .where('state', '=', sql.lit('done' as const))
    .where('finished_at', '<', before)
    .orderBy('finished_at')
    .limit(batch)
  const { numDeletedRows } = await queries
    .deleteFrom('jobs')
    .where('id', 'in', old)
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

interface Departure {
  readonly state: 'queued' | 'done' | 'dead'
  readonly attempts?: number
  readonly max_attempts?: number
  readonly losses?: number
  readonly run_at?: number
  readonly last_error?: string
  readonly finished_at?: number
}

async function leave(queries: Queries, lease: Lease, departure: Departure): Promise<boolean> {
  let update = queries
    .updateTable('jobs')
    .set({ ...departure, ...noLease })
    .where('id', '=', lease.id)
    .where('lease_token', '=', lease.token)
  if (lease.leaseUntil !== undefined) update = update.where('lease_until', '=', lease.leaseUntil)
  const { numUpdatedRows } = await update.executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
