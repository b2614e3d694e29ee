import type { Preset } from '../../src/conversion/contract.ts'
import type { Database, Transaction } from '../../src/database/database.ts'
import type { Schema } from '../../src/database/schema.ts'
import {
  countFailed,
  countOutdated,
  listFailed,
  listOutdated,
  outdatedAmong,
  type Page,
} from '../../src/images/outdated.ts'
import { markUnfailed } from '../../src/images/records.ts'
import { wantedOf } from '../../src/images/wanted.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import type { JobKind } from '../../src/queue/kinds.ts'

/** What is to be done with images, one job for each. What is done once is not found again. */
export interface Errand {
  /** To complete the sentence "12 images …". */
  readonly what: string
  readonly kind: JobKind
  count(): Promise<number>
  /** Images to do it with, by id, in order. */
  list(page: Page): Promise<string[]>
  queue(trx: Transaction<Schema>, imageId: string): Promise<void>
  /** Of images that were queued: those with which it is not done, and how many it was in vain for. */
  look(ids: readonly string[]): Promise<{ waiting: readonly string[]; inVain: number }>
}

interface ErrandDependencies {
  readonly database: Database
  readonly queue: Pick<JobQueue, 'enqueue'>
}

/** Behind whatever was uploaded just now. */
const priority = -10

/** Images whose renditions of a preset are missing, or were made by another definition of it. */
export function presetErrand({ database, queue }: ErrandDependencies, preset: Preset): Errand {
  const { queries } = database
  const wanted = wantedOf([preset])
  const { name } = preset
  return {
    what: `to be given ${name} anew`,
    kind: 'image.reconvert',
    count: () => countOutdated(queries, wanted),
    list: (page) => listOutdated(queries, wanted, page),
    queue: (trx, imageId) =>
      queue.enqueue(
        trx,
        'image.reconvert',
        { imageId, preset: name },
        { dedupeKey: `${imageId}/${name}`, priority },
      ),
    look: async (ids) => ({ waiting: await outdatedAmong(queries, wanted, ids), inVain: 0 }),
  }
}

/** Images that failed by this, to be converted after all. */
export function failedErrand({ database, queue }: ErrandDependencies, code: string): Errand {
  const { queries } = database
  return {
    what: `that failed by ${code} to be tried again`,
    kind: 'image.convert',
    count: () => countFailed(queries, code),
    list: (page) => listFailed(queries, code, page),
    async queue(trx, imageId) {
      if (!(await markUnfailed(trx, imageId, code))) return
      await queue.enqueue(trx, 'image.convert', { imageId }, { dedupeKey: imageId, priority })
    },
    async look(ids) {
      if (ids.length === 0) return { waiting: [], inVain: 0 }
      const rows = await queries
        .selectFrom('images')
        .select(['id', 'state'])
        .where('id', 'in', ids)
        .execute()
      return {
        waiting: rows.filter(({ state }) => state === 'processing').map(({ id }) => id),
        inVain: rows.filter(({ state }) => state === 'failed').length,
      }
    },
  }
}
