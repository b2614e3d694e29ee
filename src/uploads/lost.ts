import type { Database } from '../database/database.ts'
import { hasCode } from '../errors.ts'
import { type Fence, markFailed } from './ledger.ts'

/** Runs work on an upload's bytes; when storage has lost them, the ledger says so from then on. */
export async function noticingLoss<T>(
  { queries }: Database,
  fence: Fence,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (hasCode(error, 'upload-lost')) {
      await markFailed(queries, fence, 'Storage no longer has all of the bytes.')
    }
    throw error
  }
}
