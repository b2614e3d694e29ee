/** The ways between the states of a job, as `worker/store.ts` draws them, in calls to pg-boss. */
import { fromKysely, type PgBoss } from 'pg-boss'
import { z } from 'zod'
import type { Database, Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { newId } from '../../ids.ts'
import type { JobKind } from '../kinds.ts'
import type { Burial, LeasedJob, LostJob, NewJob, Requeue } from '../worker/store.ts'
import { boundlessRetries, settledBy } from './boss.ts'
import { dataAfter, leaseOf, newJobData, readJobData, tokenOf } from './job-data.ts'
import { lockLost, noteHolder } from './statements.ts'

/** pg-boss takes jobs without a key for jobs with the same one. */
export function singletonKeyOf(id: string, dedupeKey: string | undefined): string {
  return dedupeKey === undefined ? `job ${id}` : `key ${dedupeKey}`
}

export async function insertJob(
  boss: PgBoss,
  trx: Transaction<Schema>,
  { kind, payload, maxAttempts, dedupeKey, priority = 0, runAt }: NewJob,
): Promise<void> {
  const id = newId()
  await boss.send(kind, newJobData(payload, maxAttempts), {
    id,
    priority,
    singletonKey: singletonKeyOf(id, dedupeKey),
    ...(runAt !== undefined && { startAfter: new Date(runAt) }),
    db: fromKysely(trx),
  })
}

const claimed = z.object({ id: z.string(), data: z.unknown(), retryCount: z.number() })

/** The claim and the name of its holder are one statement, and so one commit. */
export async function claim(
  boss: PgBoss,
  queries: Queries,
  kind: JobKind,
  holder: string,
  now: () => number,
): Promise<LeasedJob | undefined> {
  const [row] = await boss.fetch(kind, { batchSize: 1, db: noteHolder(queries, holder) })
  if (!row) return undefined
  const { id, data, retryCount } = claimed.parse(row)
  const { payload, maxAttempts, correction, losses, tries } = readJobData(data)
  const attempts = retryCount + 1 + correction
  const token = tokenOf(id, retryCount)
  const startedAt = now()
  return { id, kind, payload, attempts, maxAttempts, losses, tries, startedAt, holder, token }
}

export async function extendLeases(
  boss: PgBoss,
  jobs: readonly LeasedJob[],
): Promise<ReadonlySet<string>> {
  const kept = new Set<string>()
  for (const [kind, some] of Map.groupBy(jobs, (job) => job.kind)) {
    const { settled } = settledBy(await boss.touch(kind, some.map(leaseOf)))
    const alive = new Set(settled)
    for (const { id, token } of some) if (alive.has(id)) kept.add(token)
  }
  return kept
}

export async function complete(boss: PgBoss, job: LeasedJob): Promise<boolean> {
  return settledBy(await boss.complete(job.kind, leaseOf(job))).affected > 0
}

/**
 * Fails the attempt, which fences it, and then says in pg-boss's words what we made of that: when
 * the job runs again is ours to tell, and attempts are not used up by what is no fault of theirs.
 */
export function requeue(
  boss: PgBoss,
  database: Database,
  job: LeasedJob | LostJob,
  how: Requeue,
): Promise<boolean> {
  return database.transaction(async (trx) => {
    if (!(await fail(boss, trx, job, how.lastError))) return false
    const { delayMs } = how
    await boss.update(job.kind, dataAfter(job, how), {
      id: job.id,
      ...(delayMs !== undefined && { startAfter: `${delayMs} milliseconds` }),
      db: fromKysely(trx),
    })
    return true
  })
}

/** pg-boss makes a job dead that fails with no attempt left, so that is taken from it first. */
export function bury(
  boss: PgBoss,
  database: Database,
  job: LeasedJob | LostJob,
  how: Burial,
  alongside: (trx: Transaction<Schema>) => Promise<void>,
): Promise<boolean> {
  return database.transaction(async (trx) => {
    if (!(await fail(boss, trx, job, how.lastError))) return false
    const db = fromKysely(trx)
    await boss.update(job.kind, dataAfter(job, how), { id: job.id, retryLimit: 0, db })
    await boss.fail(job.kind, job.id, { message: how.lastError }, { db })
    await alongside(trx)
    return true
  })
}

/** dead → queued. */
export async function revive(
  boss: PgBoss,
  trx: Transaction<Schema>,
  job: { readonly id: string; readonly kind: string; readonly cancelled: boolean },
  data: object,
): Promise<void> {
  const db = fromKysely(trx)
  if (job.cancelled) await boss.resume(job.kind, job.id, { db })
  else await boss.retry(job.kind, job.id, { db })
  await boss.update(job.kind, data, { id: job.id, retryLimit: boundlessRetries, db })
}

/** active → retry in pg-boss's words. */
async function fail(
  boss: PgBoss,
  trx: Transaction<Schema>,
  job: LeasedJob | LostJob,
  message: string,
): Promise<boolean> {
  if ('seen' in job && !(await lockLost(trx, job))) return false
  const db = fromKysely(trx)
  return settledBy(await boss.fail(job.kind, leaseOf(job), { message }, { db })).affected > 0
}

/** (any) → (gone). */
export async function remove(
  boss: PgBoss,
  trx: Transaction<Schema>,
  kind: string,
  id: string,
): Promise<void> {
  await boss.deleteJob(kind, id, { db: fromKysely(trx) })
}
