/**
 * How those keep out of each other's way that change several uploads of one concatenation at once.
 *
 * The partial uploads are locked first, all of them and in the order of their ids, then the final one.
 * Who holds all of them is alone with what becomes of the final one while that is `receiving`: it goes
 * on with a partial one that is stored, and is given up with one. Who finishes a partial upload locks
 * that one, and then the final one; who finishes the final one comes when all others are through.
 */
import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'
import { AppError, hasCode } from '../errors.ts'

/** Enough for as many as can be at it at a time. */
const attempts = 20

/**
 * Runs a transaction, and once more when others made that necessary: the database could not let it go
 * on beside theirs, or it found that it had locked the wrong ones.
 */
export async function amongOthers<T>(
  database: Database,
  work: (trx: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction(work)
    } catch (error) {
      if (attempt === attempts || !passes(error)) throw error
    }
  }
}

/** For a transaction that saw an upload become a part of another one before it was locked. */
export function claimedMeanwhile(): AppError {
  return new AppError('claimed-meanwhile', 423, 'The upload is in use by another request.', {
    retryAfter: 1,
  })
}

function passes(error: unknown): boolean {
  if (hasCode(error, 'claimed-meanwhile')) return true
  // PostgreSQL: serialization_failure and deadlock_detected, of whom one has to begin again.
  return error instanceof AppError && hasCode(error.cause, '40001', '40P01')
}

/** Locks the uploads that one is made of, until the transaction ends. */
export async function lockSources(trx: Transaction<Schema>, finalId: string): Promise<void> {
  if (!isShared(trx)) return
  await trx
    .selectFrom('uploads')
    .select('id')
    .where('final_id', '=', finalId)
    .orderBy('id')
    .forUpdate()
    .execute()
}
