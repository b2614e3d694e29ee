import type { Transaction } from '../database/database.ts'
import type { Schema, UploadRow } from '../database/schema.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import type { ObjectStorage, UploadStorage } from '../storage/contract.ts'
import { removeIncomingLater } from './links/removal.ts'
import { postponedByOutage } from './outage.ts'
import { startOf } from './position.ts'

/** What has to be known to find all that storage may hold of an upload, besides its id. */
export const discardColumns = [
  'id',
  'multipart_id',
  'tail_epoch',
  'staged_token',
  'staged_count',
  'incoming_until',
] as const

type Discarded = Pick<UploadRow, (typeof discardColumns)[number]>

/** After so many milliseconds storage carries out nothing any more that it was asked for. */
const landedMs = 3_600_000

/**
 * Has everything removed that storage holds of an upload, as soon as that can be done.
 * @param mayLand whether storage may yet carry out what it gave no answer to: it is looked again then.
 */
export async function discardLater(
  queue: JobQueue,
  trx: Transaction<Schema>,
  row: Pick<Discarded, 'id'> & Partial<Discarded>,
  mayLand = false,
): Promise<void> {
  const { staged_token: token, staged_count: count = 0, incoming_until: until } = row
  const payload = {
    id: row.id,
    multipartId: row.multipart_id ?? null,
    tailEpoch: row.tail_epoch ?? 0,
    ...(token && { staged: { token, count } }),
  }
  await queue.enqueue(trx, 'upload.discard', payload)
  if (mayLand) {
    await queue.enqueue(trx, 'upload.discard', payload, { runAt: Date.now() + landedMs })
  }
  if (until) await removeIncomingLater(queue, trx, row.id, until)
}

/** Removes what storage holds for an upload that has no record any more. */
export function discardHandler(storage: UploadStorage): JobHandler<'upload.discard'> {
  return {
    kind: 'upload.discard',
    run: ({ id, multipartId, tailEpoch, staged }) =>
      outlivingOutages(() =>
        storage.discard({
          ...startOf({ id, length: undefined }),
          multipartId: multipartId ?? undefined,
          tailEpoch,
          staged,
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
