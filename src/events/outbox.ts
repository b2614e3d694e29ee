import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { newId } from '../ids.ts'
import type { EventPayloads, EventType } from './types.ts'

/**
 * Records an event as part of the transaction that makes it true, so that none is lost and none is
 * told that did not happen. `subject` is the id of the upload, image or post; the events of one subject
 * are ordered by `position`.
 */
export async function appendEvent<T extends EventType>(
  trx: Transaction<Schema>,
  type: T,
  subject: string,
  payload: EventPayloads[T],
): Promise<void> {
  await trx
    .insertInto('events')
    .values({
      id: newId(),
      type,
      subject,
      payload: JSON.stringify(payload),
      created_at: Date.now(),
    })
    .execute()
}
