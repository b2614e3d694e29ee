import { sql } from 'kysely'
import type { PgBoss } from 'pg-boss'
import type { Database } from '../../database/database.ts'
import { AppError, hasCode, messageOf } from '../../errors.ts'
import type { JobQueue } from '../contract.ts'
import { jobPayloads } from '../kinds.ts'
import type { JobStore } from '../worker/store.ts'
import { createWorkerQueue, type QueueOptions, type StoreOptions } from '../worker/worker-queue.ts'
import { adoptJobs } from './adopt.ts'
import { createBoss, createBossQueues } from './boss.ts'
import { newJobData } from './job-data.ts'
import * as shelf from './shelf.ts'
import * as statements from './statements.ts'
import * as transitions from './transitions.ts'

const removeBatch = 500
const uniqueViolation = '23505'
/** Among the advisory locks of a database, the one that is held while the schema is made. */
const prepareLock = 4_815_162_342

/** A queue over pg-boss, for any number of processes; the clock is that of the database. */
export function createPostgresQueue(options: QueueOptions): JobQueue {
  return createWorkerQueue(options, postgresStore)
}

export function postgresStore({
  database,
  instance,
  leaseMs,
  now,
  report,
}: StoreOptions): JobStore {
  const { queries } = database
  const boss = createBoss(queries, report)
  return {
    prepare: () => prepare(boss, database, now),
    close: () => boss.stop({ graceful: false, close: false }).catch(() => {}),
    insert: (trx, job) => transitions.insertJob(boss, trx, job),
    claim: (kind) => transitions.claim(boss, queries, kind, instance.holder, now),
    extend: (jobs) => transitions.extendLeases(boss, jobs),
    complete: (job) => transitions.complete(boss, job),
    requeue: (job, how) => transitions.requeue(boss, database, job, how),
    bury: (job, how, alongside) => transitions.bury(boss, database, job, how, alongside),
    findExpired: (kinds) => statements.findExpired(queries, kinds, leaseMs),
    findHolders: () => statements.findHolders(queries),
    findHeldBy: (kinds, holders) => statements.findHeldBy(queries, kinds, holders),
    async sweep(ageMs) {
      const before = now() - ageMs
      for (const kind of await shelf.kinds(queries)) {
        while ((await statements.removeDone(queries, kind, before, removeBatch)) === removeBatch);
      }
      await adoptJobs(boss, database, now())
    },
    kinds: () => shelf.kinds(queries),
    newest: (kind, state, page) => shelf.newest(queries, kind, state, page),
    find: (id) => shelf.find(queries, id),
    lock: (trx, id) => shelf.lock(trx, id),
    dead: (kind, after, limit) => shelf.dead(queries, kind, after, limit),
    revive: (trx, job, maxAttempts) => revive(boss, trx, job.record.id, maxAttempts),
    async remove(trx, { record: { kind, id } }) {
      await transitions.remove(boss, trx, kind, id)
      await shelf.forgetHolder(trx, id)
    },
    depth: () => shelf.depth(queries),
  }
}

/**
 * The schema by one process at a time, so that none finds half of it. Carrying over many jobs takes
 * long, and who waits for a lock as long is told that the database does not answer.
 */
async function prepare(boss: PgBoss, database: Database, now: () => number): Promise<void> {
  try {
    await database.queries.connection().execute(async (connection) => {
      await sql`select pg_advisory_lock(${prepareLock})`.execute(connection)
      try {
        await boss.start()
        await createBossQueues(boss, Object.keys(jobPayloads))
        await statements.createStructures(database.queries)
      } finally {
        await sql`select pg_advisory_unlock(${prepareLock})`.execute(connection)
      }
    })
    await adoptJobs(boss, database, now())
  } catch (error) {
    if (error instanceof AppError) throw error
    const what = `the queue in ${database.describe()} cannot be brought up to date`
    throw new AppError('migration-failed', 503, `${what} (${messageOf(error)})`, { cause: error })
  }
}

async function revive(
  boss: PgBoss,
  trx: Parameters<JobStore['revive']>[0],
  id: string,
  maxAttempts: number,
): Promise<boolean> {
  const job = await shelf.lock(trx, id)
  if (!job || (await shelf.isKeyTaken(trx, id))) return false
  const { payloadText, tries, claims } = job
  const { kind, lastError = null } = job.record
  const data = { ...newJobData(payloadText, maxAttempts), correction: -claims, lastError, tries }
  const dead = { id, kind, cancelled: job.bossState === 'cancelled' }
  try {
    await transitions.revive(boss, trx, dead, data)
    return true
  } catch (error) {
    // One with its key came in between.
    if (hasCode(error, uniqueViolation)) return false
    throw error
  }
}
