/**
 * Whether somebody may begin an upload. Whatever begins one asks here, and nothing that has begun is
 * ever ended by a limit.
 */
import { sql } from 'kysely'
import type { Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { isShared } from '../../database/shared.ts'
import { acceptsDeclared } from './accept.ts'
import { quotaExceeded, tooManyUnfinished, typeNotAccepted } from './errors.ts'
import { type Rate, takeFromRate } from './rate.ts'
import type { Limits } from './settings.ts'
import { bytesOf, unfinishedOf } from './usage.ts'

/** An upload that is about to begin. */
export interface Beginning {
  readonly owner: string
  /** Bytes it will have, undefined while nobody has said. */
  readonly length: number | undefined
  /** Bytes that are known to come, where the length is not known. */
  readonly announced?: number | undefined
}

export interface Admission {
  readonly limits: Limits
  /** Whether there is a limit for which `begin` asks the database; if not, it need not be called. */
  readonly counts: boolean
  /**
   * To be asked first of all, before anything is stored.
   * @throws AppError `type-not-accepted` (415) when the client names a type that is not taken.
   */
  requireType(contentType: string | undefined): void
  /**
   * Has an upload begin: `insert` is to write its record, in the same transaction. When it may not
   * begin, the transaction is to be rolled back, and nothing was used up.
   *
   * Exact, however many begin at the same time in however many processes: those of one owner do so
   * one after the other. The bytes of an upload whose length is not known yet count as they come;
   * that one, which is not ended by any limit, may take its owner beyond it.
   * @returns where its owner stands by the rate, if there is one.
   * @throws AppError `too-many-uploads`, `too-many-unfinished` (429), `quota-exceeded` (413).
   */
  begin(
    trx: Transaction<Schema>,
    beginning: Beginning,
    insert: () => Promise<unknown>,
  ): Promise<Rate | undefined>
  /**
   * As `begin`, for an upload made of others that have begun by themselves (tus: Concatenation).
   * Only what it has beyond them counts, which is where one is in it twice.
   * @throws AppError `quota-exceeded` (413)
   */
  join<T>(trx: Transaction<Schema>, joining: Joining, insert: () => Promise<T>): Promise<T>
}

/** An upload that is about to be made of others. */
export interface Joining {
  readonly owner: string
  /** Undefined while that is not known of all that it is made of. */
  readonly length: number | undefined
  /** Bytes it will have more than all of those. */
  readonly extra: number
}

export function createAdmission(limits: Limits): Admission {
  const { accept, userMaxBytes, userMaxUnfinished, userUploadsPerMinute } = limits
  const looksAround = userMaxBytes !== undefined || userMaxUnfinished !== undefined

  /** To be called with the record there: what counts is counted in one way only. */
  async function requireBytes(trx: Transaction<Schema>, owner: string, uncounted: number) {
    if (userMaxBytes === undefined) return
    const bytes = (await bytesOf(trx, owner)) + uncounted
    if (bytes > userMaxBytes) throw quotaExceeded(userMaxBytes)
  }

  async function requireFew(trx: Transaction<Schema>, owner: string) {
    if (userMaxUnfinished === undefined) return
    const count = await unfinishedOf(trx, owner, userMaxUnfinished + 1)
    if (count > userMaxUnfinished) throw tooManyUnfinished(userMaxUnfinished)
  }

  return {
    limits,
    counts: looksAround || userUploadsPerMinute !== undefined,
    requireType(contentType) {
      if (!acceptsDeclared(accept, contentType)) throw typeNotAccepted(accept)
    },
    async begin(trx, { owner, length, announced = 0 }, insert) {
      if (looksAround) await lockOwner(trx, owner)
      const rate =
        userUploadsPerMinute === undefined
          ? undefined
          : await takeFromRate(trx, owner, userUploadsPerMinute)
      await insert()
      await requireFew(trx, owner)
      // An empty one does no harm. One of unknown length is going to have something.
      if (length !== 0) {
        await requireBytes(trx, owner, length === undefined ? Math.max(1, announced) : 0)
      }
      return rate
    },
    async join(trx, { owner, length, extra }, insert) {
      const adds = userMaxBytes !== undefined && extra > 0
      if (adds) await lockOwner(trx, owner)
      const joined = await insert()
      if (adds) await requireBytes(trx, owner, length === undefined ? extra : 0)
      return joined
    },
  }
}

/** Drawn once, so that these locks are not those of something else in the same database. */
const lockSpace = 1_726_435_581

/**
 * Keeps others of the same owner waiting until the transaction ends; what it sees from then on is
 * what they left. Who holds this lock waits for nothing but the rate of that owner, which only
 * holders of it take.
 */
async function lockOwner(trx: Transaction<Schema>, owner: string): Promise<void> {
  if (!isShared(trx)) return
  await sql`select pg_advisory_xact_lock(${lockSpace}, hashtext(${owner}))`.execute(trx)
}
