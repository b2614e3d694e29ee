import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { hasCode } from '../errors.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import type { ObjectStorage, UploadStorage } from '../storage/contract.ts'
import { leaseLost } from './errors.ts'
import type { Leases } from './leases.ts'
import { type Fence, startOf } from './ledger.ts'
import type { UploadListener } from './listener.ts'
import { postponedByOutage } from './outage.ts'

export interface RemoveDependencies {
  readonly database: Database
  readonly queue: JobQueue
  readonly listener: UploadListener
  readonly leases: Leases
}

/**
 * Removes an upload and all that was made of it. Returns false when there is none. A request that
 * is writing to it ends first.
 * @throws AppError `upload-locked` (423) when it does not end in time.
 */
export type RemoveUpload = (id: string, signal?: AbortSignal) => Promise<boolean>

const never = new AbortController().signal

/**
 * The records go at once, in one transaction with the jobs that remove the objects: what storage
 * cannot remove now is removed when it can.
 */
export function createRemoveUpload(dependencies: RemoveDependencies): RemoveUpload {
  const { database, queue, leases } = dependencies
  return async (id, signal = never) => {
    try {
      const removed = await leases.hold(id, signal, (_, lease) =>
        database.transaction((trx) => removeRecords(dependencies, trx, id, lease)),
      )
      if (removed) queue.wake()
      return removed
    } catch (error) {
      if (hasCode(error, 'upload-not-found')) return false
      throw error
    }
  }
}

async function removeRecords(
  { queue, listener }: RemoveDependencies,
  trx: Transaction<Schema>,
  id: string,
  fence: Fence | undefined,
): Promise<boolean> {
  const keys = await listener.removing(trx, id)
  let removal = trx.deleteFrom('uploads').where('id', '=', id)
  if (fence) removal = removal.where('lease_token', '=', fence.token)
  const row = await removal.returning(['multipart_id', 'tail_epoch']).executeTakeFirst()
  if (!row) {
    if (fence) throw leaseLost()
    return false
  }
  const { multipart_id: multipartId, tail_epoch: tailEpoch } = row
  await queue.enqueue(trx, 'upload.discard', { id, multipartId, tailEpoch })
  if (keys.length > 0) await queue.enqueue(trx, 'storage.remove', { keys })
  await appendEvent(trx, 'upload.removed', id, {})
  return true
}

/** Removes what storage holds for an upload that has no record any more. */
export function discardHandler(storage: UploadStorage): JobHandler<'upload.discard'> {
  return {
    kind: 'upload.discard',
    run: ({ id, multipartId, tailEpoch }) =>
      outlivingOutages(() =>
        storage.discard({
          ...startOf({ id, length: undefined }),
          multipartId: multipartId ?? undefined,
          tailEpoch,
        }),
      ),
  }
}

/** Removes objects that no record names any more. */
export function removeObjectsHandler(storage: ObjectStorage): JobHandler<'storage.remove'> {
  return {
    kind: 'storage.remove',
    run: ({ keys }) => outlivingOutages(() => storage.remove(keys)),
  }
}

async function outlivingOutages(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw postponedByOutage(error)
  }
}
