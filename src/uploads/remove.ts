import type { Database } from '../database/database.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import type { ObjectStorage, UploadStorage } from '../storage/contract.ts'
import type { UploadListener } from './listener.ts'
import { postponedByOutage } from './outage.ts'

export interface RemoveDependencies {
  readonly database: Database
  readonly queue: JobQueue
  readonly listener: UploadListener
}

/** Removes an upload and all that was made of it. Returns false when there is none. */
export type RemoveUpload = (id: string) => Promise<boolean>

/**
 * The records go at once, in one transaction with the jobs that remove the objects: what storage
 * cannot remove now is removed when it can.
 */
export function createRemoveUpload({
  database,
  queue,
  listener,
}: RemoveDependencies): RemoveUpload {
  return async (id) => {
    const removed = await database.transaction(async (trx) => {
      const keys = await listener.removing(trx, id)
      const row = await trx
        .deleteFrom('uploads')
        .where('id', '=', id)
        .returning('multipart_id')
        .executeTakeFirst()
      if (!row) return false
      await queue.enqueue(trx, 'upload.discard', { id, multipartId: row.multipart_id })
      if (keys.length > 0) await queue.enqueue(trx, 'storage.remove', { keys })
      await appendEvent(trx, 'upload.removed', id, {})
      return true
    })
    if (removed) queue.wake()
    return removed
  }
}

/** Removes what storage holds for an upload that has no record any more. */
export function discardHandler(storage: UploadStorage): JobHandler<'upload.discard'> {
  return {
    kind: 'upload.discard',
    run: ({ id, multipartId }) => outlivingOutages(() => discard(storage, id, multipartId)),
  }
}

/** Removes objects that no record names any more. */
export function removeObjectsHandler(storage: ObjectStorage): JobHandler<'storage.remove'> {
  return {
    kind: 'storage.remove',
    run: ({ keys }) => outlivingOutages(() => storage.remove(keys)),
  }
}

function discard(storage: UploadStorage, id: string, multipartId: string | null): Promise<void> {
  const nothing = { length: undefined, offset: 0, parts: [], tail: undefined }
  return storage.discard({ id, multipartId: multipartId ?? undefined, ...nothing })
}

async function outlivingOutages(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw postponedByOutage(error)
  }
}
