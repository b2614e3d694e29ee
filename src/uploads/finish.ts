import type { Database } from '../database/database.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { UploadStorage } from '../storage/contract.ts'
import { findUpload, markStored, readPosition } from './ledger.ts'
import type { UploadListener } from './listener.ts'
import { noticingLoss } from './lost.ts'

export interface FinishDependencies {
  readonly database: Database
  readonly storage: UploadStorage
  readonly queue: JobQueue
  readonly listener: UploadListener
}

/**
 * Takes an upload whose last byte is durable to `stored`. Does nothing for one that is not
 * `assembling`, so it may be called again after a crash at any point.
 */
export type Finish = (id: string) => Promise<void>

/** Calls for the same upload at the same time share one run. */
export function createFinish(dependencies: FinishDependencies): Finish {
  const running = new Map<string, Promise<void>>()
  return (id) => {
    const current = running.get(id) ?? finish(dependencies, id).finally(() => running.delete(id))
    running.set(id, current)
    return current
  }
}

async function finish(
  { database, storage, queue, listener }: FinishDependencies,
  id: string,
): Promise<void> {
  const upload = await findUpload(database.queries, id)
  if (upload?.state !== 'assembling') return
  const position = await readPosition(database.queries, id)
  if (!position) return
  await noticingLoss(database, id, () => storage.complete(position))
  await database.transaction(async (trx) => {
    const stored = await markStored(trx, id)
    if (stored) {
      await listener.stored(trx, stored)
      await appendEvent(trx, 'upload.stored', id, { size: stored.offset })
    } else if (!(await findUpload(trx, id))) {
      // Deleted meanwhile, perhaps before the object was there to be removed.
      await queue.enqueue(trx, 'upload.discard', { id, multipartId: null })
    }
  })
  queue.wake()
}
