/** Images of the same bytes and the same owner: what is made of one serves the others as well. */
import { sql } from 'kysely'
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import { amongOthers } from '../uploads/concat-locks.ts'
import { recordDigest } from '../uploads/ledger.ts'
import { type Image, type Rendition, toRendition } from './image.ts'
import { foundColumns, markReady } from './records.ts'
import { lockImage, lockObjects } from './rendition-objects.ts'
import { removeAbandoned } from './store-renditions.ts'
import type { Wanted } from './wanted.ts'

/** An image and what its bytes are. Owners never share: nobody is to learn what others have. */
export type Known = Pick<Image, 'id' | 'owner'> & { readonly sha256: string }

/** Another image of the owner that is ready, of the same bytes, with all that is wanted. */
export async function findTwin(
  queries: Queries,
  image: Known,
  wanted: readonly Wanted[],
): Promise<string | undefined> {
  return (await twinQuery(queries, image, wanted).executeTakeFirst())?.id
}

/** Exported for the test that looks at its plan. */
export function twinQuery(
  queries: Queries,
  { id, owner, sha256 }: Known,
  wanted: readonly Wanted[],
) {
  return (
    queries
      .selectFrom('images')
      .select('id')
      .where('owner', '=', owner)
      .where('sha256', '=', sha256)
      // Written out, as the condition of the index is: SQLite does not see it behind parameters.
      .where('state', '=', sql.lit('ready' as const))
      .where('id', '!=', id)
      .where(({ eb, selectFrom }) => {
        const made = selectFrom('renditions')
          .select(({ fn }) => fn.count<number>('preset').distinct().as('count'))
          .whereRef('renditions.image_id', '=', 'images.id')
          .where('renditions.fingerprint', 'in', fingerprintsOf(wanted))
        return eb(made, '=', wanted.length)
      })
      .limit(1)
  )
}

/**
 * Renditions of another image, to be another one's as well: their objects are locked, and are there
 * until the transaction ends. Undefined when not all of them are there any more.
 */
export async function borrowRenditions(
  trx: Transaction<Schema>,
  from: string,
  wanted: readonly Wanted[],
): Promise<Rendition[] | undefined> {
  const rows = await trx
    .selectFrom('renditions')
    .selectAll()
    .where('image_id', '=', from)
    .where('fingerprint', 'in', fingerprintsOf(wanted))
    .execute()
  const renditions = rows.map((row) => ({ ...toRendition(row), revision: 1 }))
  const keys = renditions.map(({ key }) => key)
  const presets = new Set(renditions.map(({ preset }) => preset))
  const areThere = presets.size === wanted.length && (await lockObjects(trx, keys))
  return areThere ? renditions : undefined
}

/**
 * `processing → ready`, by what was made of another image. Returns false, with nothing changed, when
 * there is no such. The image is locked, and `processing`.
 */
export async function becomeReadyAsTwin(
  trx: Transaction<Schema>,
  queue: JobQueue,
  image: Known,
  wanted: readonly Wanted[],
): Promise<boolean> {
  const twin = await findTwin(trx, image, wanted)
  if (twin === undefined) return false
  const found = await trx
    .selectFrom('images')
    .select(foundColumns)
    .where('id', '=', twin)
    .executeTakeFirst()
  const renditions = found && (await borrowRenditions(trx, twin, wanted))
  if (!renditions || !(await markReady(trx, image.id, found, renditions))) return false
  await removeAbandoned(queue, trx, image.id)
  await appendEvent(trx, 'image.ready', image.id, { renditions: renditions.length })
  return true
}

/** The same for an image whose job runs, in a transaction of its own. */
export async function settleAsTwin(
  { database, queue }: { readonly database: Database; readonly queue: JobQueue },
  image: Known,
  wanted: readonly Wanted[],
): Promise<boolean> {
  if ((await findTwin(database.queries, image, wanted)) === undefined) return false
  return amongOthers(database, async (trx) => {
    if ((await lockImage(trx, image.id)) !== 'processing') return false
    if (!(await becomeReadyAsTwin(trx, queue, image, wanted))) return false
    await recordDigest(trx, image.id, image.sha256)
    return true
  })
}

function fingerprintsOf(wanted: readonly Wanted[]): string[] {
  return wanted.map(({ fingerprint }) => fingerprint)
}
