import { type SqlBool, sql } from 'kysely'
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema, UploadState } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { Logger } from '../operations/logger.ts'
import { Loop } from '../operations/loop.ts'
import type { JobQueue } from '../queue/contract.ts'
import { amongOthers, claimedMeanwhile, lockSources } from './concat-locks.ts'
import { giveUpFinal, releaseSources } from './concat-records.ts'
import { discardColumns, discardLater } from './discard.ts'
import { leaseIsFree } from './lease-records.ts'
import { noLease, nothingOpen } from './ledger.ts'
import { forgetKeys, forgottenAtOnce } from './one-request/idempotency.ts'
import { partial } from './upload.ts'

const everyMs = 5_000
const batchSize = 100
/** How long an upload that expired is answered as gone, and not as unknown. */
const rememberedMs = 7 * 86_400_000

export interface ExpiryDependencies {
  readonly database: Database
  readonly queue: JobQueue
  readonly logger: Logger
}

export interface Expiry {
  start(): void
  stop(): Promise<void>
}

/**
 * Gives up uploads that nobody continued in time or made anything of, and those that failed: storage
 * is cleared of them by a durable job each, and of what the ledger names only. The record of one that
 * expired stays for a while, then it goes too, as idempotency keys do. When there is nothing to do it
 * costs a look at the top of two indexes.
 */
export function createExpiry({ database, queue, logger }: ExpiryDependencies): Expiry {
  const loop = new Loop({
    everyMs,
    async work() {
      const expired = await expireBatch(database, queue, Date.now())
      if (expired > 0) logger.info({ uploads: expired }, 'cleared away uploads nobody continued')
      const forgotten = await forgetKeys(database.queries, Date.now())
      if (expired === batchSize || forgotten === forgottenAtOnce) loop.ring()
    },
    onError: (error) => logger.error({ err: error }, 'expired uploads were not cleared away'),
  })
  return { start: () => loop.start(), stop: () => loop.stop() }
}

/** Each upload is a transaction of its own; on SQLite those at the same time share a commit. */
const atOnce = 8

/** @returns how many records were to be changed or removed; at most a hundred. */
export async function expireBatch(
  database: Database,
  queue: JobQueue,
  now: number,
): Promise<number> {
  const due = await expiredQuery(database.queries, now, batchSize).execute()
  if (due.length === 0) return 0
  const waiting = due.values()
  const failures: unknown[] = []
  async function work(): Promise<void> {
    for (const { id } of waiting) {
      const expiring = amongOthers(database, (trx) => expireOne(trx, queue, id, now))
      // One that cannot be cleared away does not keep the others.
      await expiring.catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  queue.wake('upload.discard')
  if (failures.length > 0) throw failures[0]
  return due.length
}

/** Exported for the test that looks at its plan. */
export function expiredQuery(queries: Queries, now: number, limit: number) {
  return (
    queries
      .selectFrom('uploads')
      .select('id')
      // Written out, as the condition of the index is: SQLite does not see it behind parameters.
      .where(
        sql<SqlBool>`(state in ('receiving', 'failed', 'expired') or (state = 'stored' and concat = 'partial')) and expires_at is not null`,
      )
      .where('expires_at', '<=', now)
      .where(leaseIsFree(now))
      .orderBy('expires_at')
      .limit(limit)
  )
}

async function expireOne(
  trx: Transaction<Schema>,
  queue: JobQueue,
  id: string,
  now: number,
): Promise<void> {
  const row = await trx
    .selectFrom('uploads')
    .select([...discardColumns, 'state', 'concat', 'sources', 'final_id'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return
  // Nobody can tell any more that it was there; of a partial one the bytes are in another upload.
  if (row.state === 'expired' || (row.state === 'stored' && row.final_id !== null)) {
    await trx
      .deleteFrom('uploads')
      .where('id', '=', id)
      .where('state', '=', row.state)
      .where('expires_at', '<=', now)
      .execute()
    return
  }
  const finalId = row.sources === null ? row.final_id : id
  if (finalId !== null) await lockSources(trx, finalId)
  const expired = await giveUp(trx, id, row.state, now)
  if (!expired) return
  if (expired.final_id !== null && expired.final_id !== finalId) throw claimedMeanwhile()
  await trx.deleteFrom('upload_parts').where('upload_id', '=', id).execute()
  await discardLater(queue, trx, row)
  await releaseSources(trx, id, now)
  if (expired.final_id !== null) await giveUpWith(trx, expired.final_id, row.state, now)
  if (row.state !== 'failed' && row.concat !== partial) {
    await appendEvent(trx, 'upload.expired', id, {})
  }
}

/** One that failed has failed, and is not looked at again. */
function giveUp(trx: Transaction<Schema>, id: string, state: UploadState, now: number) {
  return trx
    .updateTable('uploads')
    .set({
      ...(state === 'failed' ? { expires_at: null } : expiredAt(now)),
      ...nothingOpen,
      ...noLease,
      updated_at: now,
    })
    .where('id', '=', id)
    .where('state', '=', state)
    .where('expires_at', '<=', now)
    .where(leaseIsFree(now))
    .returning('final_id')
    .executeTakeFirst()
}

/** The upload that a partial one was to be a part of. */
async function giveUpWith(
  trx: Transaction<Schema>,
  finalId: string,
  state: UploadState,
  now: number,
): Promise<void> {
  if (state === 'failed') {
    const failure = 'One of the uploads it was to be made of failed.'
    await giveUpFinal(trx, finalId, { state, failure, expires_at: null })
  } else if (await giveUpFinal(trx, finalId, { ...expiredAt(now), failure: null })) {
    await appendEvent(trx, 'upload.expired', finalId, {})
  }
}

function expiredAt(now: number) {
  return { state: 'expired', expires_at: now + rememberedMs } as const
}
