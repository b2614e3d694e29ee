/**
 * Carries over the jobs that a release before pg-boss left in the `jobs` table of PostgreSQL. One
 * that a process of that release still works on is left to it until its lease runs out; so this is
 * done again and again, and costs a look into an empty table.
 */
import { sql } from 'kysely'
import { fromKysely, type PgBoss } from 'pg-boss'
import type { Database, Transaction } from '../../database/database.ts'
import type { JobRow, Schema } from '../../database/schema.ts'
import { addTry } from '../worker/tries.ts'
import { createBossQueues } from './boss.ts'
import { type JobData, newJobData } from './job-data.ts'
import { jobs } from './statements.ts'
import { singletonKeyOf } from './transitions.ts'

const batch = 200

/** Those that were done are forgotten. */
export async function adoptJobs(boss: PgBoss, database: Database, now: number): Promise<void> {
  const kinds = await database.queries.selectFrom('jobs').select('kind').distinct().execute()
  if (kinds.length === 0) return
  await createBossQueues(
    boss,
    kinds.map(({ kind }) => kind),
  )
  while ((await database.transaction((trx) => adoptBatch(boss, trx, now))) === batch);
}

/** Rows that another process is carrying over are passed by. */
async function adoptBatch(boss: PgBoss, trx: Transaction<Schema>, now: number): Promise<number> {
  const rows = await trx
    .selectFrom('jobs')
    .selectAll()
    .where((row) => row.or([row('state', '!=', 'active'), row('lease_until', '<=', now)]))
    .orderBy('id')
    .limit(batch)
    .forUpdate()
    .skipLocked()
    .execute()
  if (rows.length === 0) return 0
  for (const row of rows) if (row.state !== 'done') await adopt(boss, trx, row, now)
  const ids = rows.map(({ id }) => id)
  await trx.deleteFrom('jobs').where('id', 'in', ids).execute()
  return rows.length
}

async function adopt(
  boss: PgBoss,
  trx: Transaction<Schema>,
  row: JobRow,
  now: number,
): Promise<void> {
  const { id, kind, priority } = row
  const db = fromKysely(trx)
  const isDead = row.state === 'dead'
  const key = isDead ? undefined : (row.dedupe_key ?? undefined)
  await boss.send(kind, dataOf(row, now), {
    id,
    priority,
    singletonKey: singletonKeyOf(id, key),
    startAfter: new Date(row.run_at),
    ...(isDead && { retryLimit: 0 }),
    db,
  })
  if (isDead) await boss.fail(kind, id, { message: row.last_error ?? '' }, { db })
  const finished = row.finished_at ?? now
  await sql`update ${jobs} set created_on = to_timestamp(${row.created_at / 1_000}),
      completed_on = case when completed_on is null then null
        else to_timestamp(${finished / 1_000}) end
    where name = ${kind} and id = ${id}`.execute(trx)
}

function dataOf(row: JobRow, now: number): JobData {
  const { attempts, losses, tries, last_error: lastError, max_attempts: maxAttempts } = row
  const data = { ...newJobData(row.payload, maxAttempts), correction: attempts, losses, lastError }
  if (row.state !== 'active') return { ...data, tries }
  const lost = { tries, startedAt: row.started_at ?? row.run_at, holder: row.lease_holder ?? '?' }
  const error = 'the process that ran it is gone'
  return {
    ...data,
    maxAttempts: maxAttempts + 1,
    losses: losses + 1,
    lastError: error,
    tries: addTry(lost, { endedAt: now, outcome: 'lost', error }),
  }
}
