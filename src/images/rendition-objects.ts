/**
 * The objects in storage that renditions are in, written down before storage is called, so that
 * whatever happens somebody knows of each.
 *
 * ```
 * (nothing) ──recordObjects──▶ named ──a rendition refers to it──▶ used
 *                                │                                  │ the last rendition that did is gone
 *                                └────────forgetUnused──────────────┴──▶ (nothing), and a job removes it
 * ```
 *
 * A name is used once. So what is removed late, or written late by an attempt that nobody waits for
 * any more, is never the object of another one; and who has written what is not recorded any more
 * removes it.
 *
 * Who changes what objects an image has locks the image first, then objects in the order of their
 * keys. What other images refer to is looked at only after that.
 */
import { randomBytes } from 'node:crypto'
import type { Queries, Transaction } from '../database/database.ts'
import type { ImageState, Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'
import { renditionKey } from '../storage/keys.ts'
import type { Wanted } from './wanted.ts'

/** A rendition that was made, and by what. */
export interface Asked extends Wanted {
  readonly format: string
}

export interface NamedObject extends Asked {
  readonly key: string
}

/** Locks an image until the transaction ends. Returns its state, or undefined when it is gone. */
export async function lockImage(
  trx: Transaction<Schema>,
  id: string,
): Promise<ImageState | undefined> {
  const row = await trx
    .selectFrom('images')
    .select('state')
    .where('id', '=', id)
    .$if(isShared(trx), (query) => query.forUpdate())
    .executeTakeFirst()
  return row?.state
}

/**
 * Names the objects that an image is about to get. What an earlier attempt named for the same and did
 * not come to use, it gets again. Lock the image first.
 */
export async function recordObjects(
  trx: Transaction<Schema>,
  imageId: string,
  asked: readonly Asked[],
): Promise<NamedObject[]> {
  const open = await unusedQuery(trx, imageId).execute()
  const objects = asked.map((one) => {
    const known = open.find((row) => isOf(row, one))
    return { ...one, key: known?.storage_key ?? newKey(imageId, one), isNew: known === undefined }
  })
  const rows = objects.flatMap(({ key, isNew, ...rest }) =>
    isNew ? [{ storage_key: key, image_id: imageId, ...rest }] : [],
  )
  if (rows.length > 0) await trx.insertInto('rendition_objects').values(rows).execute()
  return objects.map(({ isNew: _, ...object }) => object)
}

function isOf(row: { readonly [K in keyof Asked]: string | null }, one: Asked): boolean {
  return (
    row.preset === one.preset && row.format === one.format && row.fingerprint === one.fingerprint
  )
}

function newKey(imageId: string, { preset, format, fingerprint }: Asked): string {
  const once = randomBytes(6).toString('hex')
  return renditionKey(imageId, `${preset}-${fingerprint}${once}`, format)
}

/** The objects that were named for an image, or one preset of it, and that no rendition refers to. */
export async function unusedObjects(
  queries: Queries,
  imageId: string,
  preset?: string,
): Promise<string[]> {
  let query = unusedQuery(queries, imageId)
  if (preset !== undefined) query = query.where('preset', '=', preset)
  return (await query.execute()).map((row) => row.storage_key)
}

function unusedQuery(queries: Queries, imageId: string) {
  return queries
    .selectFrom('rendition_objects as object')
    .select(['storage_key', 'preset', 'format', 'fingerprint'])
    .where('image_id', '=', imageId)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('renditions')
            .select('renditions.image_id')
            .whereRef('renditions.storage_key', '=', 'object.storage_key'),
        ),
      ),
    )
}

/**
 * Locks objects until the transaction ends, so that they stay as long. Returns whether all of them
 * are still recorded.
 */
export async function lockObjects(
  trx: Transaction<Schema>,
  keys: readonly string[],
): Promise<boolean> {
  if (keys.length === 0) return true
  const rows = await trx
    .selectFrom('rendition_objects')
    .select('storage_key')
    .where('storage_key', 'in', keys)
    .orderBy('storage_key')
    .$if(isShared(trx), (query) => query.forUpdate())
    .execute()
  return rows.length === new Set(keys).size
}

/**
 * Forgets those of the objects that no rendition refers to. Returns their keys: they are to be removed
 * from storage, by a job of this transaction.
 */
export async function forgetUnused(
  trx: Transaction<Schema>,
  keys: readonly string[],
): Promise<string[]> {
  if (keys.length === 0) return []
  await lockObjects(trx, keys)
  const rows = await trx
    .selectFrom('renditions')
    .select('storage_key')
    .distinct()
    .where('storage_key', 'in', keys)
    .execute()
  const used = new Set(rows.map((row) => row.storage_key))
  const unused = [...new Set(keys)].filter((key) => !used.has(key))
  if (unused.length > 0) {
    await trx.deleteFrom('rendition_objects').where('storage_key', 'in', unused).execute()
  }
  return unused
}
