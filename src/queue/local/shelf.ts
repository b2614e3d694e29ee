/** The `jobs` table as an operator sees it. Every look goes by an index and reads what it returns. */
import { sql } from 'kysely'
import type { Queries, Transaction } from '../../database/database.ts'
import type { JobRow, Schema } from '../../database/schema.ts'
import { firstIdAt } from '../../ids.ts'
import type { JobRecord, QueueDepth } from '../contract.ts'
import { parseJson } from '../worker/payload-text.ts'
import type { Page, StoredJob } from '../worker/store.ts'

/** Ids are made about when a job is added; nobody's clock is off by more. */
const idToleranceMs = 3_600_000

/** Steps from one kind to the next in the index, however many jobs there are of each. */
export async function kinds(queries: Queries): Promise<string[]> {
  const { rows } = await sql<{ kind: string }>`
    with recursive known(kind) as (
      select min(kind) from jobs
      union all
      select (select min(jobs.kind) from jobs where jobs.kind > known.kind)
      from known where known.kind is not null
    )
    select kind from known where kind is not null`.execute(queries)
  return rows.map(({ kind }) => kind)
}

export async function newest(
  queries: Queries,
  kind: string,
  state: JobRecord['state'],
  page: Page,
): Promise<JobRecord[]> {
  const rows = await newestStatement(queries, kind, state, page).execute()
  return rows.map(recordOf)
}

export function newestStatement(
  queries: Queries,
  kind: string,
  state: JobRecord['state'],
  { before, createdBefore, limit }: Page,
) {
  let query = queries
    .selectFrom('jobs')
    .select(columns)
    .where('kind', '=', kind)
    .where('state', '=', state)
    .orderBy('id', 'desc')
    .limit(limit)
  if (before !== undefined) query = query.where('id', '<', before)
  if (createdBefore !== undefined) {
    query = query
      .where('created_at', '<', createdBefore)
      .where('id', '<', firstIdAt(createdBefore + idToleranceMs))
  }
  return query
}

export async function find(queries: Queries, id: string): Promise<StoredJob | undefined> {
  const row = await queries.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst()
  return (
    row && {
      record: recordOf(row),
      payloadText: row.payload,
      tries: row.tries,
      startedAt: row.started_at ?? undefined,
      holder: row.lease_holder ?? undefined,
    }
  )
}

export async function dead(
  queries: Queries,
  kind: string,
  after: string | undefined,
  limit: number,
): Promise<string[]> {
  let query = queries
    .selectFrom('jobs')
    .select('id')
    .where('kind', '=', kind)
    .where('state', '=', 'dead')
    .orderBy('id')
    .limit(limit)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(({ id }) => id)
}

/** dead → queued, unless that would be a second unfinished job with its key. */
export async function revive(
  trx: Transaction<Schema>,
  { record: { id } }: StoredJob,
  maxAttempts: number,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('jobs')
    .set({
      state: 'queued',
      attempts: 0,
      max_attempts: maxAttempts,
      losses: 0,
      run_at: now,
      finished_at: null,
    })
    .where('id', '=', id)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('jobs as other')
            .select('other.id')
            .whereRef('other.kind', '=', 'jobs.kind')
            .whereRef('other.dedupe_key', '=', 'jobs.dedupe_key')
            .where('other.state', 'in', [sql.lit('queued' as const), sql.lit('active' as const)]),
        ),
      ),
    )
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

export async function remove(trx: Transaction<Schema>, { record }: StoredJob): Promise<void> {
  await trx.deleteFrom('jobs').where('id', '=', record.id).execute()
}

interface Count {
  readonly kind: string
  readonly state: string
  readonly jobs: number
  readonly oldest: string | null
}

export async function depth(queries: Queries, now: number): Promise<QueueDepth[]> {
  const { rows } = await countStatement(await kinds(queries), now).execute(queries)
  const createdAt = await createdAtOf(
    queries,
    rows.flatMap(({ state, oldest }) => (state === 'dead' || oldest === null ? [] : oldest)),
  )
  const byKind = Map.groupBy(rows, ({ kind }) => kind)
  return [...byKind].map(([kind, counts]) => {
    const of = (state: string) => counts.find((count) => count.state === state)?.jobs ?? 0
    const times = counts.flatMap(({ oldest }) => createdAt.get(oldest ?? '') ?? [])
    const oldestCreatedAt = times.length > 0 ? Math.min(...times) : undefined
    const [queued, active, deadJobs] = [of('queued'), of('active'), of('dead')]
    return { kind, queued, active, dead: deadJobs, oldestCreatedAt }
  })
}

/** Kinds and states are both named, so that the index leads past those that are done. */
export function countStatement(named: readonly string[], now: number) {
  return sql<Count>`
    select kind, state, count(*) as jobs, (
      select first.id from jobs as first
      where first.kind = jobs.kind and first.state = jobs.state and not (
        first.state = 'queued' and first.started_at is null and first.run_at > ${now}
      )
      order by first.id limit 1
    ) as oldest from jobs
    where kind in (${sql.join(named)}) and state in ('queued', 'active', 'dead')
    group by kind, state`
}

async function createdAtOf(
  queries: Queries,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await queries
    .selectFrom('jobs')
    .select(['id', 'created_at'])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map((row) => [row.id, row.created_at]))
}

const columns = [
  'id',
  'kind',
  'state',
  'payload',
  'priority',
  'attempts',
  'max_attempts',
  'created_at',
  'run_at',
  'finished_at',
  'last_error',
] as const

function recordOf(row: Pick<JobRow, (typeof columns)[number]>): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    payload: parseJson(row.payload),
    priority: row.priority,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    createdAt: row.created_at,
    runAt: row.run_at,
    finishedAt: row.finished_at ?? undefined,
    lastError: row.last_error ?? undefined,
  }
}
