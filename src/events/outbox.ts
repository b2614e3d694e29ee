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
  await appendEvents(trx, type, [subject], payload)
}

/** The same of several subjects, in one statement. */
export async function appendEvents<T extends EventType>(
  trx: Transaction<Schema>,
  type: T,
  subjects: readonly string[],
  payload: EventPayloads[T],
): Promise<void> {
  const given = { type, payload: JSON.stringify(payload), created_at: Date.now() }
  const events = subjects.map((subject) => ({ id: newId(), subject, ...given }))
  await trx.insertInto('events').values(events).execute()
}
