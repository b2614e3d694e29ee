import { type SqlBool, sql } from 'kysely'
import type { Database, Queries } from '../../database/database.ts'
import { AppError, hasCode } from '../../errors.ts'
import type { Logger } from '../../operations/logger.ts'
import { Loop } from '../../operations/loop.ts'
import { leaseIsFree } from '../lease-records.ts'
import { findUpload } from '../ledger.ts'
import type { CompleteLink } from './complete.ts'
import { nextCheck } from './times.ts'

const everyMs = 5_000
const batchSize = 100
const atOnce = 8

export interface LinkSweepDependencies {
  readonly database: Database
  readonly complete: CompleteLink
  readonly logger: Logger
  /** Milliseconds an unfinished upload is kept for. */
  readonly expiresIn: number
}

export interface LinkSweep {
  start(): void
  stop(): Promise<void>
}

/**
 * Finds uploads by link whose bytes came and that nobody confirmed: at first soon after they were
 * begun, then ever more seldom, and a last time when the link is over. When there is nothing to look
 * at it costs one read of the top of an index.
 */
export function createLinkSweep(dependencies: LinkSweepDependencies): LinkSweep {
  const { logger } = dependencies
  let stopping = false
  const loop = new Loop({
    everyMs,
    async work() {
      const looked = await sweepLinks(dependencies, Date.now(), () => stopping)
      if (looked === batchSize) loop.ring()
    },
    onError: (error) => logger.error({ err: error }, 'uploads by link were not looked after'),
  })
  return {
    start: () => loop.start(),
    async stop() {
      stopping = true
      await loop.stop()
    },
  }
}

/** @returns how many were to be looked at; at most a hundred. */
export async function sweepLinks(
  dependencies: LinkSweepDependencies,
  now: number,
  isStopping = () => false,
): Promise<number> {
  const due = await dueQuery(dependencies.database.queries, now, batchSize).execute()
  const waiting = due.values()
  async function work(): Promise<void> {
    for (const { id, link_check_at: checkAt } of waiting) {
      if (isStopping()) return
      if (await claim(dependencies, id, checkAt, now)) await look(dependencies, id)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, due.length) }, work))
  return due.length
}

/** Exported for the test that looks at its plan. */
export function dueQuery(queries: Queries, now: number, limit: number) {
  return (
    queries
      .selectFrom('uploads')
      .select(['id', 'link_check_at'])
      // Written out, as the condition of the index is: SQLite does not see it behind parameters.
      .where(sql<SqlBool>`link_check_at is not null`)
      .where('link_check_at', '<=', now)
      .where(leaseIsFree(now))
      .orderBy('link_check_at')
      .limit(limit)
  )
}

/** Says when to look again, before it is looked: only one process does, and one that crashes is no matter. */
async function claim(
  { database: { queries }, expiresIn }: LinkSweepDependencies,
  id: string,
  checkAt: number | null,
  now: number,
): Promise<boolean> {
  const upload = await findUpload(queries, id)
  const { expiresAt, createdAt = now } = upload ?? {}
  const next = expiresAt === undefined ? null : nextCheck({ createdAt, expiresAt }, now, expiresIn)
  const { numUpdatedRows } = await queries
    .updateTable('uploads')
    .set({ link_check_at: next })
    .where('id', '=', id)
    .where('link_check_at', '=', checkAt)
    .executeTakeFirst()
  return numUpdatedRows === 1n && upload?.state === 'receiving'
}

async function look({ complete, logger }: LinkSweepDependencies, id: string): Promise<void> {
  try {
    await complete(id)
    logger.info({ upload: id }, 'finished an upload by link that nobody confirmed')
  } catch (error) {
    // Nothing came yet, or somebody is about to confirm it.
    if (error instanceof AppError && error.status < 500) return
    // After the start it is looked again.
    if (hasCode(error, 'stopping')) return
    logger.error({ err: error, upload: id }, 'an upload by link cannot be finished yet')
  }
}
