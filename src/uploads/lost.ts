import type { Database } from '../database/database.ts'
import { AppError, hasCode } from '../errors.ts'
import { type Fence, markFailed } from './ledger.ts'

/** Errors after which an upload has failed for good, and what its owner is told. */
const failures: Readonly<Record<string, string>> = {
  'upload-lost': 'Storage no longer has all of the bytes.',
  'repr-digest-mismatch': 'The content is not what Repr-Digest said it would be.',
  'type-not-accepted': 'Files of the type that the content is of are not taken here.',
}

/** Runs work on an upload's bytes; when it finds that they cannot be had, the ledger says so from then on. */
export async function noticingLoss<T>(
  { queries }: Database,
  fence: Fence,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const failure = error instanceof AppError ? failures[error.code] : undefined
    // What was all there and is not wanted would else take room that counts as nobody's.
    const isRefused = hasCode(error, 'type-not-accepted')
    if (failure) await markFailed(queries, fence, failure, isRefused)
    throw error
  }
}
