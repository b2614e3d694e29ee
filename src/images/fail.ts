import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import { recordDigest } from '../uploads/ledger.ts'
import { markFailed, type Original } from './records.ts'
import { removeAbandoned } from './store-renditions.ts'

export type Failure = { readonly code: string; readonly message: string }

/** What is written when no attempt came to an end, if there was one. Trying again can help. */
export const gaveUp: Failure = {
  code: 'conversion-failed',
  message: 'The image was given up: after several attempts to convert it, or by an operator.',
}

/** `processing → failed`, and all that follows from it; nothing for an image in any other state. */
export async function fail(
  trx: Transaction<Schema>,
  queue: JobQueue,
  imageId: string,
  failure: Failure,
  original?: Original,
): Promise<void> {
  if (!(await markFailed(trx, imageId, failure, original))) return
  if (original) await recordDigest(trx, imageId, original.sha256)
  await removeAbandoned(queue, trx, imageId)
  await appendEvent(trx, 'image.failed', imageId, { code: failure.code })
}
