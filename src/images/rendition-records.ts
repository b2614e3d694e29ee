import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import type { Image, Rendition } from './image.ts'
import type { Wanted } from './wanted.ts'

/** Whether an image has every rendition that is wanted, as it is wanted now, and no other of those presets. */
export function isCurrent({ renditions }: Pick<Image, 'renditions'>, wanted: readonly Wanted[]) {
  const presets = new Set(wanted.map(({ preset }) => preset))
  const fingerprints = new Set(wanted.map(({ fingerprint }) => fingerprint))
  const made = renditions.filter(({ preset }) => presets.has(preset))
  return (
    made.length === wanted.length &&
    made.every(({ fingerprint = '' }) => fingerprints.has(fingerprint))
  )
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
