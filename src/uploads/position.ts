/** Where an upload stands in storage, as the ledger keeps it. */
import type { Queries } from '../database/database.ts'
import type { Progress, UploadPart, UploadPosition } from '../storage/contract.ts'
import type { Upload } from './upload.ts'

/** Where an upload stands that was just created. */
export function startOf({ id, length }: Pick<Upload, 'id' | 'length'>): UploadPosition {
  const noParts = { multipartId: undefined, partCount: 0, unsettledParts: undefined }
  const noTail = { tail: undefined, tailEpoch: 0, tailUnsettled: false, staged: undefined }
  return { id, length, offset: 0, ...noParts, ...noTail }
}

/**
 * What storage needs to carry on with an upload, or undefined when there is no such upload. Its cost
 * does not grow with the number of parts.
 */
export async function readPosition(
  queries: Queries,
  id: string,
): Promise<UploadPosition | undefined> {
  const row = await queries
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  return {
    id,
    length: row.length ?? undefined,
    offset: row.offset,
    multipartId: row.multipart_id ?? undefined,
    partCount: row.multipart_id ? await countParts(queries, id) : 0,
    unsettledParts: row.unsettled_parts
      ? { count: row.unsettled_parts, size: row.unsettled_part_size ?? 0 }
      : undefined,
    tail: row.tail_key
      ? { key: row.tail_key, size: row.tail_size, crc32: row.tail_crc32 ?? undefined }
      : undefined,
    tailEpoch: row.tail_epoch,
    tailUnsettled: row.tail_unsettled === 1,
    staged: row.staged_token ? { token: row.staged_token, count: row.staged_count } : undefined,
  }
}

/** Parts are numbered without gaps, so the last one tells. */
async function countParts(queries: Queries, id: string): Promise<number> {
  const last = await queries
    .selectFrom('upload_parts')
    .select('number')
    .where('upload_id', '=', id)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.number ?? 0
}

/** All recorded parts, in order. */
export async function readParts(queries: Queries, id: string): Promise<UploadPart[]> {
  return queries
    .selectFrom('upload_parts')
    .select(['number', 'size', 'etag'])
    .where('upload_id', '=', id)
    .orderBy('number')
    .execute()
}

/** What the ledger keeps of progress, but for the parts. */
export function positionColumns({ offset, unsettledParts, tail, staged, ...progress }: Progress) {
  return {
    offset,
    multipart_id: progress.multipartId ?? null,
    unsettled_parts: unsettledParts?.count ?? 0,
    unsettled_part_size: unsettledParts?.size ?? null,
    tail_key: tail?.key ?? null,
    tail_size: tail?.size ?? 0,
    tail_crc32: tail?.crc32 ?? null,
    tail_epoch: progress.tailEpoch,
    tail_unsettled: progress.tailUnsettled ? 1 : 0,
    staged_token: staged?.token ?? null,
    staged_count: staged?.count ?? 0,
  }
}
