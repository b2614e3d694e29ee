import type { Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import type { JobQueue } from '../../queue/contract.ts'
import { incomingKey } from '../../storage/keys.ts'

const hour = 3_600_000
/**
 * When it is looked again after the end of a link: what is sent by it may be begun until then, as
 * often as somebody likes, and take its time.
 */
const laterMs = [hour, 24 * hour]

/**
 * Has removed what was sent by the link of an upload, and what yet will be; the upload itself has its
 * bytes elsewhere, or is gone.
 * @param until the end of the link.
 */
export async function removeIncomingLater(
  queue: JobQueue,
  trx: Transaction<Schema>,
  id: string,
  until: number,
): Promise<void> {
  const keys = [incomingKey(id)]
  const now = Date.now()
  await queue.enqueue(trx, 'storage.remove', { keys })
  for (const runAt of laterMs.map((later) => until + later)) {
    if (runAt > now) await queue.enqueue(trx, 'storage.remove', { keys }, { runAt })
  }
}
