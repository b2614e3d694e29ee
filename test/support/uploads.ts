import type { Database } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import type { EnqueueOptions, JobQueue } from '../../src/queue/contract.ts'
import { createUpload, readPosition, recordProgress } from '../../src/uploads/ledger.ts'
import type { NewUpload } from '../../src/uploads/upload.ts'

export function newUpload(given: Partial<NewUpload> = {}): NewUpload {
  return {
    id: newId(),
    owner: 'local',
    dialect: 'tus',
    length: 10,
    metadata: undefined,
    filename: 'a.jpg',
    contentType: 'image/jpeg',
    ...given,
  }
}

/** An upload whose bytes are all recorded, as a crash right before assembling leaves it. */
export async function wholeUpload(
  database: Database,
  given: Partial<NewUpload> = {},
): Promise<string> {
  const upload = newUpload(given)
  await createUpload(database.queries, upload)
  if (upload.length) {
    await recordProgress(database, upload.id, 0, {
      offset: upload.length,
      multipartId: undefined,
      part: undefined,
      tail: undefined,
    })
  }
  return upload.id
}

/** Stores bytes as one request would, and records them. */
export async function positionOf(database: Database, id: string) {
  const position = await readPosition(database.queries, id)
  if (!position) throw new Error(`there is no upload ${id}`)
  return position
}

/** Writes jobs down as the queues do, and runs none. */
export function idleQueue(): JobQueue & { woken: number } {
  const queue = {
    woken: 0,
    wake: () => {
      queue.woken += 1
    },
    handle: () => {},
    start: async () => {},
    stop: async () => {},
    enqueue: insert,
  }
  return queue
}

const insert: JobQueue['enqueue'] = async (trx, kind, payload, options: EnqueueOptions = {}) => {
  await trx
    .insertInto('jobs')
    .values({
      id: newId(),
      kind,
      payload: JSON.stringify(payload),
      dedupe_key: options.dedupeKey ?? null,
      state: 'queued',
      max_attempts: 1,
      run_at: 0,
      attempts: 0,
      priority: 0,
      created_at: 0,
    })
    .execute()
}
