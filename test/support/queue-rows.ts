/** The jobs there are, whichever engine keeps them: what tests look at and meddle with. */
import { sql } from 'kysely'
import type { Database, Queries } from '../../src/database/database.ts'
import type { JobRow } from '../../src/database/schema.ts'

/** A job as the table of SQLite has it. */
export type JobView = JobRow

/** All jobs, oldest first. `leaseMs` is what a sign of life lasts in pg-boss, which does not say. */
export async function jobRows(
  queries: Queries,
  kind: Database['kind'],
  leaseMs = 30_000,
): Promise<JobView[]> {
  if (kind === 'sqlite') return queries.selectFrom('jobs').selectAll().orderBy('id').execute()
  const { rows } = await sql<JobView>`
    select job.id, name as kind, data->>'payload' as payload, priority,
      case when singleton_key like 'key %' then substr(singleton_key, 5) end as dedupe_key,
      case when state < 'active' then 'queued' when state = 'active' then 'active'
        when state = 'completed' then 'done' else 'dead' end as state,
      (data->>'correction')::int + case when started_on is null then 0 else retry_count + 1 end
        as attempts,
      (data->>'maxAttempts')::int as max_attempts,
      (data->>'losses')::int as losses,
      ${milliseconds('start_after')} as run_at,
      held.holder as lease_holder,
      ${milliseconds('started_on')} as started_at,
      case when state = 'active' then job.id || ':' || retry_count end as lease_token,
      case when state = 'active' then ${milliseconds('heartbeat_on')} + ${leaseMs}::int end
        as lease_until,
      data->>'lastError' as last_error,
      data->>'tries' as tries,
      ${milliseconds('created_on')} as created_at,
      ${milliseconds('completed_on')} as finished_at
    from landfall_queue.job as job
      left join landfall_queue.job_holder as held on held.job_id = job.id
    order by job.id`.execute(queries)
  return rows
}

const milliseconds = (column: string) => sql.raw(`(extract(epoch from ${column}) * 1000)::bigint`)

export interface Meddling {
  readonly payload?: string
  readonly maxAttempts?: number
  readonly losses?: number
}

/** Changes all jobs there are behind the queue's back. */
export async function meddle({ queries, kind }: Database, change: Meddling): Promise<void> {
  const { payload, maxAttempts, losses } = change
  if (kind === 'postgres') {
    const set = JSON.stringify(change)
    await sql`update landfall_queue.job set data = data || ${set}::jsonb`.execute(queries)
    return
  }
  await queries
    .updateTable('jobs')
    .set({
      ...(payload !== undefined && { payload }),
      ...(maxAttempts !== undefined && { max_attempts: maxAttempts }),
      ...(losses !== undefined && { losses }),
    })
    .execute()
}

/** Makes all active jobs look as if another process had claimed them anew, for ever. */
export async function stealLeases({ queries, kind }: Database): Promise<void> {
  if (kind === 'postgres') {
    await sql`update landfall_queue.job set retry_count = retry_count + 1,
      heartbeat_on = heartbeat_on + interval '1 year' where state = 'active'`.execute(queries)
    return
  }
  await queries
    .updateTable('jobs')
    .set({ lease_token: 'theirs', lease_until: Number.MAX_SAFE_INTEGER })
    .where('state', '=', 'active')
    .execute()
}

/** The tables that jobs are in, to be taken away for a while. */
export async function renameJobs(
  { queries, kind }: Database,
  to: 'elsewhere' | 'back',
): Promise<void> {
  const [from, target] = to === 'back' ? ['elsewhere', undefined] : [undefined, 'elsewhere']
  const statement =
    kind === 'sqlite'
      ? `alter table ${from ?? 'jobs'} rename to ${target ?? 'jobs'}`
      : `alter schema ${from ?? 'landfall_queue'} rename to ${target ?? 'landfall_queue'}`
  await sql.raw(statement).execute(queries)
}

/** Adds copies of the one job there is, each a job of its own. */
export async function copyJob({ queries, kind }: Database, count: number): Promise<void> {
  const numbers = sql`with recursive numbers(n) as
    (select 1 union all select n + 1 from numbers where n < ${sql.lit(count)})`
  if (kind === 'sqlite') {
    await sql`${numbers}
      insert into jobs (id, kind, payload, priority, state, attempts, max_attempts, run_at, created_at)
      select id || n, kind, payload, priority, state, attempts, max_attempts, run_at, created_at
      from jobs, numbers`.execute(queries)
    return
  }
  await sql`${numbers}
    insert into landfall_queue.job_common
    select (jsonb_populate_record(job, jsonb_build_object(
      'id', gen_random_uuid(), 'singleton_key', 'copy ' || n))).*
    from landfall_queue.job_common as job, numbers`.execute(queries)
}
