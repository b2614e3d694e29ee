import { type SqlBool, sql } from 'kysely'
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { Logger } from '../operations/logger.ts'
import { Loop } from '../operations/loop.ts'
import type { JobQueue } from '../queue/contract.ts'
import { leaseIsFree } from './lease-records.ts'
import { noLease } from './ledger.ts'

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
 * Gives up uploads that nobody continued in time, and those that failed: storage is cleared of them
 * by a durable job each, and of what the ledger names only. The record of one that expired stays for
 * a while, then it goes too. When there is nothing to do it costs one read of the top of an index.
 */
export function createExpiry({ database, queue, logger }: ExpiryDependencies): Expiry {
  const loop = new Loop({
    everyMs,
    async work() {
      const expired = await expireBatch(database, queue, Date.now())
      if (expired > 0) logger.info({ uploads: expired }, 'cleared away uploads nobody continued')
      if (expired === batchSize) loop.ring()
    },
    onError: (error) => logger.error({ err: error }, 'expired uploads were not cleared away'),
  })
  return { start: () => loop.start(), stop: () => loop.stop() }
}

/** @returns how many records were changed or removed; at most a hundred. */
export async function expireBatch(
  database: Database,
  queue: JobQueue,
  now: number,
): Promise<number> {
  const due = await expiredQuery(database.queries, now, batchSize).execute()
  if (due.length === 0) return 0
  await database.transaction(async (trx) => {
    for (const { id } of due) await expireOne(trx, queue, id, now)
  })
  queue.wake('upload.discard')
  return due.length
}

/** Exported for the test that looks at its plan. */
export function expiredQuery(queries: Queries, now: number, limit: number) {
  return (
    queries
      .selectFrom('uploads')
      .select('id')
      // Written out, as the condition of the index is: SQLite does not see it behind parameters.
      .where(sql<SqlBool>`state in ('receiving', 'failed', 'expired')`)
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
    .select(['state', 'multipart_id', 'tail_epoch'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return
  if (row.state === 'expired') {
    await trx.deleteFrom('uploads').where('id', '=', id).execute()
    return
  }
  const { numUpdatedRows } = await trx
    .updateTable('uploads')
    .set({
      state: row.state === 'receiving' ? 'expired' : row.state,
      expires_at: row.state === 'receiving' ? now + rememberedMs : null,
      multipart_id: null,
      tail_key: null,
      tail_size: 0,
      tail_crc32: null,
      updated_at: now,
      ...noLease,
    })
    .where('id', '=', id)
    .where('state', '=', row.state)
    .where('expires_at', '<=', now)
    .where(leaseIsFree(now))
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) return
  await trx.deleteFrom('upload_parts').where('upload_id', '=', id).execute()
  const { multipart_id: multipartId, tail_epoch: tailEpoch } = row
  await queue.enqueue(trx, 'upload.discard', { id, multipartId, tailEpoch })
  if (row.state === 'receiving') await appendEvent(trx, 'upload.expired', id, {})
}
