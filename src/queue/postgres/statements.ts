/**
 * What pg-boss has no call for, as SQL on its tables: who holds a job, which jobs are lost, and the
 * looks of an operator. pg-boss is kept to one minor version, and the contract suite runs on it.
 */
import { type RawBuilder, sql } from 'kysely'
import { type Db, fromKysely } from 'pg-boss'
import { z } from 'zod'
import type { Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { firstIdAt } from '../../ids.ts'
import type { JobKind } from '../kinds.ts'
import { type LostJob, lostJobsBatch } from '../worker/store.ts'
import { schemaName } from './boss.ts'
import { leaseOf, readJobData, tokenOf } from './job-data.ts'

/** Jobs of all our kinds: pg-boss keeps those without a partition of their own here. */
export const jobs = sql.table(`${schemaName}.job_common`)
export const holders = sql.table(`${schemaName}.job_holder`)
/** Ids are made about when a job is added; nobody's clock is off by more. */
export const idToleranceMs = 3_600_000
/** pg-boss's clock. */
export const clock = sql.raw(`${schemaName}.job_now()`)

/**
 * Who had a job last: pg-boss has no place for that. It goes with the job. What is there is not asked
 * for again, since even `if not exists` takes the right to create.
 */
export async function createStructures(queries: Queries): Promise<void> {
  const { rows } = await sql<{ complete: boolean }>`
    select to_regclass(${`${schemaName}.job_holder`}) is not null
      and to_regclass(${`${schemaName}.landfall_by_state`}) is not null as complete`.execute(
    queries,
  )
  if (rows[0]?.complete) return
  await sql`create table if not exists ${holders} (
    job_id uuid primary key, holder text not null)`.execute(queries)
  await sql`create index if not exists landfall_by_state on ${jobs} (name, state, id)`.execute(
    queries,
  )
}

/** Runs a fetch of pg-boss so that it writes down, in the same statement, who has the job now. */
export function noteHolder(queries: Queries, holder: string): Db {
  const db = fromKysely(queries)
  return {
    executeSql: (text, values = []) =>
      db.executeSql(
        `with claimed as (${text}), held as (
          insert into ${schemaName}.job_holder (job_id, holder)
          select id, $${values.length + 1}::text from claimed
          on conflict (job_id) do update set holder = excluded.holder)
        select * from claimed`,
        [...values, holder],
      ),
  }
}

/** Keeps a lost job from everybody else, unless its holder has given a sign of life since. */
export async function lockLost(trx: Transaction<Schema>, job: LostJob): Promise<boolean> {
  const { rows } = await sql`select 1 from ${jobs}
    where name = ${job.kind} and id = ${job.id} and state = 'active'
      and retry_count = ${leaseOf(job).retryCount} and heartbeat_on::text = ${job.seen}
    for update`.execute(trx)
  return rows.length > 0
}

/** See `WorkStore.findExpired`. */
export function findExpired(
  queries: Queries,
  kinds: readonly JobKind[],
  leaseMs: number,
): Promise<LostJob[]> {
  const lease = sql`${leaseMs} * interval '1 millisecond'`
  return findActive(queries, kinds, sql`job.heartbeat_on <= ${clock} - ${lease}`)
}

/** See `WorkStore.findHeldBy`. */
export function findHeldBy(
  queries: Queries,
  kinds: readonly JobKind[],
  names: readonly string[],
): Promise<LostJob[]> {
  return findActive(queries, kinds, sql`held.holder in (${sql.join(names)})`)
}

const lostRow = z.object({
  id: z.string(),
  name: z.string(),
  data: z.unknown(),
  retry_count: z.number(),
  started_on: z.date(),
  seen: z.string(),
  holder: z.string().nullable(),
})

async function findActive(
  queries: Queries,
  kinds: readonly JobKind[],
  condition: RawBuilder<unknown>,
): Promise<LostJob[]> {
  const { rows } = await sql`
    select job.id, job.name, job.data, job.retry_count, job.started_on,
      job.heartbeat_on::text as seen, held.holder
    from ${jobs} as job left join ${holders} as held on held.job_id = job.id
    where job.name in (${sql.join(kinds)}) and job.state = 'active' and ${condition}
    order by job.heartbeat_on limit ${lostJobsBatch}`.execute(queries)
  return rows.flatMap((row) => lostJob(lostRow.parse(row), kinds))
}

function lostJob(row: z.infer<typeof lostRow>, kinds: readonly JobKind[]): LostJob[] {
  const kind = kinds.find((known) => known === row.name)
  if (kind === undefined) return []
  const { id, retry_count: retryCount, seen } = row
  const { payload, maxAttempts, correction, losses, tries } = readJobData(row.data)
  return [
    {
      id,
      kind,
      payload,
      attempts: retryCount + 1 + correction,
      maxAttempts,
      losses,
      tries,
      startedAt: row.started_on.getTime(),
      holder: row.holder ?? 'unknown',
      token: tokenOf(id, retryCount),
      seen,
    },
  ]
}

/** See `WorkStore.findHolders`. */
export async function findHolders(queries: Queries): Promise<string[]> {
  const { rows } = await sql<{ holder: string }>`
    select distinct held.holder
    from ${jobs} as job join ${holders} as held on held.job_id = job.id
    where job.name in (select name from ${sql.table(`${schemaName}.queue`)})
      and job.state = 'active'`.execute(queries)
  return rows.map(({ holder }) => holder)
}

/**
 * done → (gone): forgets a batch of a kind, and tells how many. pg-boss's own maintenance reads the
 * whole table for that, and would forget the dead ones as well. Ids grow with time, so the oldest are
 * looked at first, and those that were added too lately not at all.
 */
export async function removeDone(
  queries: Queries,
  kind: string,
  before: number,
  batch: number,
): Promise<number> {
  const { rows } = await sql`
    with old as (${oldStatement(kind, before, batch)}), gone as (
      delete from ${jobs} where name = ${kind} and id in (select id from old) returning id
    ), let_go as (
      delete from ${holders} where job_id in (select id from old)
    )
    select id from gone`.execute(queries)
  return rows.length
}

export function oldStatement(kind: string, before: number, batch: number): RawBuilder<unknown> {
  return sql`
    select id from ${jobs}
    where name = ${kind} and state = 'completed'
      and completed_on < to_timestamp(${before / 1_000})
      and id < ${firstIdAt(before + idToleranceMs)}
    order by id limit ${batch} for update skip locked`
}
