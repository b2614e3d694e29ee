/** What a client says of the length of an upload, in the ledger. */
import type { Queries } from '../database/database.ts'
import { leaseLost } from './errors.ts'
import type { Fence } from './ledger.ts'
import { toUpload, type Upload } from './upload.ts'

/**
 * The client says how long the upload is.
 * @throws AppError `lease-lost` (423)
 */
export async function declareLength(
  queries: Queries,
  fence: Fence,
  length: number,
): Promise<Upload> {
  const row = await queries
    .updateTable('uploads')
    .set({ length, updated_at: Date.now() })
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', '=', 'receiving')
    .where('length', 'is', null)
    .where('offset', '<=', length)
    .returningAll()
    .executeTakeFirst()
  if (!row) throw leaseLost()
  return toUpload(row)
}

/** Takes back a length that was declared by a request of which nothing counted: the offset is as before. */
export async function withdrawLength(
  queries: Queries,
  fence: Fence,
  offset: number,
): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ length: null })
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('offset', '=', offset)
    .where('state', '=', 'receiving')
    .execute()
}

/**
 * The client says that the upload is complete with the bytes that are there, which then are its
 * length: `receiving → assembling`.
 * @throws AppError `lease-lost` (423)
 */
export async function declareComplete(
  queries: Queries,
  fence: Fence,
  offset: number,
): Promise<void> {
  const { numUpdatedRows } = await queries
    .updateTable('uploads')
    .set({ length: offset, state: 'assembling', updated_at: Date.now() })
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', '=', 'receiving')
    .where('offset', '=', offset)
    .where((eb) => eb.or([eb('length', 'is', null), eb('length', '=', offset)]))
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) throw leaseLost()
}
