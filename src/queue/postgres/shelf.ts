/** pg-boss's jobs as an operator sees them. Every look goes by an index and reads what it returns. */
import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import type { Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { firstIdAt } from '../../ids.ts'
import type { JobRecord, QueueDepth } from '../contract.ts'
import { parseJson } from '../worker/payload-text.ts'
import type { Page, StoredJob } from '../worker/store.ts'
import { schemaName } from './boss.ts'
import { readJobData } from './job-data.ts'
import { clock, holders, idToleranceMs, jobs } from './statements.ts'

const queues = sql.table(`${schemaName}.queue`)

/** Which states of pg-boss a state of ours is. */
const statesOf = {
  queued: ['created', 'retry'],
  active: ['active'],
  done: ['completed'],
  dead: ['failed', 'cancelled'],
} as const

const bossState = z.enum(['created', 'retry', 'active', 'completed', 'cancelled', 'failed'])
type BossState = z.infer<typeof bossState>

const rowShape = z.object({
  id: z.string(),
  name: z.string(),
  state: bossState,
  data: z.unknown(),
  priority: z.number(),
  retry_count: z.number(),
  created_on: z.date(),
  start_after: z.date(),
  started_on: z.date().nullable(),
  completed_on: z.date().nullable(),
  holder: z.string().nullable(),
})
type Row = z.infer<typeof rowShape>

/** A job with what reviving it takes. */
export interface BossJob extends StoredJob {
  readonly bossState: BossState
  readonly claims: number
}

const columns = sql`job.id, job.name, job.state, job.data, job.priority, job.retry_count,
  job.created_on, job.start_after, job.started_on, job.completed_on`

export async function kinds(queries: Queries): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from ${queues} order by name`.execute(
    queries,
  )
  return rows.map(({ name }) => name)
}

export async function newest(
  queries: Queries,
  kind: string,
  state: JobRecord['state'],
  page: Page,
): Promise<JobRecord[]> {
  const found: JobRecord[] = []
  for (const one of statesOf[state]) {
    const { rows } = await newestStatement(kind, one, page).execute(queries)
    found.push(...rows.map((row) => recordOf(rowShape.parse(row))))
  }
  return found
}

export function newestStatement(
  kind: string,
  state: BossState,
  { before, createdBefore, limit }: Page,
): RawBuilder<unknown> {
  const below = before === undefined ? sql`` : sql`and job.id < ${before}`
  const added =
    createdBefore === undefined
      ? sql``
      : sql`and job.created_on < to_timestamp(${createdBefore / 1_000})
          and job.id < ${firstIdAt(createdBefore + idToleranceMs)}`
  return sql`select ${columns}, null as holder from ${jobs} as job
    where job.name = ${kind} and job.state = ${state} ${below} ${added}
    order by job.id desc limit ${limit}`
}

/** A job is looked for in every queue: its id alone says nothing of its kind. */
export async function find(
  queries: Queries,
  id: string,
  locked = sql``,
): Promise<BossJob | undefined> {
  const { rows } = await sql`select ${columns}, held.holder
    from ${jobs} as job left join ${holders} as held on held.job_id = job.id
    where job.name in (select name from ${queues}) and job.id = ${id} ${locked}`.execute(queries)
  return rows[0] === undefined ? undefined : storedOf(rowShape.parse(rows[0]))
}

/**
 * Looks twice: pg-boss writes a job whose attempt fails anew, and who has waited for the row of before
 * finds none.
 */
export async function lock(trx: Transaction<Schema>, id: string): Promise<BossJob | undefined> {
  const locked = sql`for update of job`
  return (await find(trx, id, locked)) ?? (await find(trx, id, locked))
}

export async function dead(
  queries: Queries,
  kind: string,
  after: string | undefined,
  limit: number,
): Promise<string[]> {
  const ids: string[] = []
  for (const state of statesOf.dead) {
    const above = after === undefined ? sql`` : sql`and id > ${after}`
    const { rows } = await sql<{ id: string }>`select id from ${jobs}
      where name = ${kind} and state = ${state} ${above} order by id limit ${limit}`.execute(
      queries,
    )
    ids.push(...rows.map(({ id }) => id))
  }
  return ids.sort().slice(0, limit)
}

/** Whether another unfinished job of its kind has its key. */
export async function isKeyTaken(trx: Transaction<Schema>, id: string): Promise<boolean> {
  const { rows } = await sql`select 1 from ${jobs} as job join ${jobs} as other
      on other.name = job.name
      and coalesce(other.singleton_key, '') = coalesce(job.singleton_key, '')
      and other.state <= 'active' and other.policy = 'exclusive'
    where job.name in (select name from ${queues}) and job.id = ${id} limit 1`.execute(trx)
  return rows.length > 0
}

export async function forgetHolder(trx: Transaction<Schema>, id: string): Promise<void> {
  await sql`delete from ${holders} where job_id = ${id}`.execute(trx)
}

const countShape = z.object({
  name: z.string(),
  state: bossState,
  jobs: z.coerce.number(),
  oldest: z.date().nullable(),
})

export async function depth(queries: Queries): Promise<QueueDepth[]> {
  const { rows } = await depthStatement().execute(queries)
  const byKind = Map.groupBy(
    rows.map((row) => countShape.parse(row)),
    ({ name }) => name,
  )
  return [...byKind].map(([kind, counts]) => depthOf(kind, counts))
}

/**
 * Counts in one pass. The states are literals, so that it is planned by how many jobs there are in
 * them: taken one by one, each can cost a look at the whole table.
 */
export function depthStatement(): RawBuilder<unknown> {
  const open = [...statesOf.queued, ...statesOf.active, ...statesOf.dead]
  return sql`
    with counted as (
      select name, state, count(*) as jobs from ${jobs}
      where name in (select name from ${queues})
        and state in (${sql.join(open.map((state) => sql.lit(state)))})
      group by name, state
    )
    select counted.name, counted.state, counted.jobs, first.created_on as oldest from counted
    left join lateral (
      select job.created_on from ${jobs} as job
      where job.name = counted.name and job.state = counted.state
        and not (job.state = 'created' and job.start_after > ${clock})
      order by job.id limit 1
    ) as first on true
    order by counted.name`
}

function depthOf(kind: string, counts: readonly z.infer<typeof countShape>[]): QueueDepth {
  const of = (state: keyof typeof statesOf) =>
    counts.filter((count) => stateOf(count.state) === state)
  const sum = (state: keyof typeof statesOf) => of(state).reduce((all, { jobs: n }) => all + n, 0)
  const times = [...of('queued'), ...of('active')].flatMap(({ oldest }) => oldest?.getTime() ?? [])
  return {
    kind,
    queued: sum('queued'),
    active: sum('active'),
    dead: sum('dead'),
    oldestCreatedAt: times.length > 0 ? Math.min(...times) : undefined,
  }
}

function stateOf(state: BossState): JobRecord['state'] {
  switch (state) {
    case 'created':
    case 'retry':
      return 'queued'
    case 'active':
      return 'active'
    case 'completed':
      return 'done'
    case 'cancelled':
    case 'failed':
      return 'dead'
    default:
      return state satisfies never
  }
}

const claimsOf = (row: Row) => (row.started_on === null ? 0 : row.retry_count + 1)

function recordOf(row: Row): JobRecord {
  const data = readJobData(row.data)
  return {
    id: row.id,
    kind: row.name,
    state: stateOf(row.state),
    payload: parseJson(data.payload),
    priority: row.priority,
    attempts: claimsOf(row) + data.correction,
    maxAttempts: data.maxAttempts,
    createdAt: row.created_on.getTime(),
    runAt: row.start_after.getTime(),
    finishedAt: row.completed_on?.getTime(),
    lastError: data.lastError ?? undefined,
  }
}

function storedOf(row: Row): BossJob {
  const { payload, tries } = readJobData(row.data)
  return {
    record: recordOf(row),
    payloadText: payload,
    tries,
    startedAt: row.started_on?.getTime(),
    holder: row.holder ?? undefined,
    bossState: row.state,
    claims: claimsOf(row),
  }
}
