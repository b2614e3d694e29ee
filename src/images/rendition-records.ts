import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import type { Image, Rendition } from './image.ts'
import type { Wanted } from './wanted.ts'

/** Whether an image has what is wanted, as it is wanted now. */
export function isCurrent({ renditions }: Pick<Image, 'renditions'>, wanted: readonly Wanted[]) {
  return wanted.every(({ preset, fingerprint }) => {
    const made = renditions.filter((one) => one.preset === preset)
    return made.length > 0 && made.every((one) => one.fingerprint === fingerprint)
  })
}

/** Their objects are locked. */
export async function insertRenditions(
  trx: Transaction<Schema>,
  imageId: string,
  renditions: readonly Rendition[],
): Promise<void> {
  const rows = renditions.map(({ key, contentType, fingerprint, ...rest }) => ({
    image_id: imageId,
    storage_key: key,
    content_type: contentType,
    fingerprint: fingerprint ?? null,
    ...rest,
  }))
  await trx.insertInto('renditions').values(rows).execute()
}

/**
 * Removes all renditions of an image, or those of one preset. Returns the keys of their objects, which
 * others may use, and the highest revision there was, or 0.
 */
export async function removeRenditions(
  trx: Transaction<Schema>,
  imageId: string,
  preset?: string,
): Promise<{ readonly keys: readonly string[]; readonly revision: number }> {
  let removal = trx.deleteFrom('renditions').where('image_id', '=', imageId)
  if (preset !== undefined) removal = removal.where('preset', '=', preset)
  const rows = await removal.returning(['storage_key', 'revision']).execute()
  return {
    keys: rows.map((row) => row.storage_key),
    revision: Math.max(0, ...rows.map((row) => row.revision)),
  }
}
