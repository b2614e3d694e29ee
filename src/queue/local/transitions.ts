/**
 * The ways between the states of a job in the `jobs` table, as `worker/store.ts` draws them. Each is
 * one statement: all of it happens or nothing.
 */
import { sql } from 'kysely'
import type { Database, Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { newId } from '../../ids.ts'
import type { JobKind } from '../kinds.ts'
import type { Burial, LeasedJob, LostJob, NewJob, Requeue } from '../worker/store.ts'

const noLease = { lease_token: null, lease_until: null }

/** (nothing) → queued, unless an unfinished job of this kind has the same dedupe key. */
export async function insertJob(
  trx: Transaction<Schema>,
  { kind, payload, maxAttempts, dedupeKey, priority = 0, ...job }: NewJob,
  now: number,
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
      max_attempts: maxAttempts,
      run_at: job.runAt ?? now,
      ...noLease,
      created_at: now,
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
export async function claim(queries: Queries, by: Claim): Promise<LeasedJob | undefined> {
  const row = await claimStatement(queries, by).executeTakeFirst()
  if (!row) return undefined
  const { id, payload, attempts, max_attempts: maxAttempts, losses, tries } = row
  const { kind, token, holder, now: startedAt } = by
  return { id, kind, payload, attempts, maxAttempts, losses, tries, startedAt, holder, token }
}

/**
 * One statement, so that no two processes get the same job: SQLite lets only one of them write at a
 * time. The state is a literal because a partial index is not considered for a parameter.
 */
export function claimStatement(queries: Queries, by: Claim) {
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
      started_at: by.now,
    }))
    .where('id', '=', next)
    .returning(['id', 'payload', 'attempts', 'max_attempts', 'losses', 'tries'])
}

/** active → active: the leases run longer. Returns the tokens that still hold their jobs. */
export async function extendLeases(
  queries: Queries,
  leases: readonly Pick<LeasedJob, 'id' | 'token'>[],
  leaseUntil: number,
): Promise<Set<string>> {
  const ids = leases.map((lease) => lease.id)
  const tokens = leases.map((lease) => lease.token)
  const rows = await queries
    .updateTable('jobs')
    .set({ lease_until: leaseUntil })
    .where('id', 'in', ids)
    .where('lease_token', 'in', tokens)
    .returning('lease_token')
    .execute()
  return new Set(rows.flatMap((row) => row.lease_token ?? []))
}

/** active → done. */
export function complete(queries: Queries, job: LeasedJob, now: number): Promise<boolean> {
  return leave(queries, job, { state: 'done', finished_at: now })
}

/** active → queued. Without a delay it keeps the time from which on it could run. */
export function requeue(
  queries: Queries,
  job: LeasedJob | LostJob,
  { attempts, maxAttempts, losses, tries, lastError, delayMs }: Requeue,
  now: number,
): Promise<boolean> {
  return leave(queries, job, {
    state: 'queued',
    attempts,
    max_attempts: maxAttempts,
    losses,
    tries,
    last_error: lastError,
    ...(delayMs !== undefined && { run_at: now + delayMs }),
  })
}

/** active → dead; `alongside` is part of the same transaction and can stop it by throwing. */
export function bury(
  database: Database,
  job: LeasedJob | LostJob,
  { tries, lastError }: Burial,
  now: number,
  alongside: (trx: Transaction<Schema>) => Promise<void>,
): Promise<boolean> {
  return database.transaction(async (trx) => {
    const end = { state: 'dead', finished_at: now, tries, last_error: lastError } as const
    if (!(await leave(trx, job, end))) return false
    await alongside(trx)
    return true
  })
}

/** done → (gone): forgets a batch of those finished before `before`, and tells how many. */
export async function removeDone(queries: Queries, before: number, batch: number): Promise<number> {
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
  readonly tries?: string
  readonly run_at?: number
  readonly last_error?: string
  readonly finished_at?: number
}

/** The holder stays with the job: it is who had it last. */
async function leave(
  queries: Queries,
  job: LeasedJob | LostJob,
  departure: Departure,
): Promise<boolean> {
  let update = queries
    .updateTable('jobs')
    .set({ ...departure, ...noLease })
    .where('id', '=', job.id)
    .where('lease_token', '=', job.token)
  if ('seen' in job) update = update.where('lease_until', '=', Number(job.seen))
  const { numUpdatedRows } = await update.executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
