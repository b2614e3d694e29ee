/**
 * The ledger: the one truth about where an upload stands. Storage holds bytes; only what is written
 * here counts. Each state change is one function, conditional on the state before it and, where
 * bytes are concerned, on the lease: who has lost it cannot change anything.
 */
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema, UploadRow } from '../database/schema.ts'
import type { Progress, UploadPart, UploadPosition } from '../storage/contract.ts'
import { leaseLost } from './errors.ts'
import { type LeaseRecord, type NewUpload, toUpload, type Upload } from './upload.ts'

/** What a write to the ledger is checked by. */
export interface Fence {
  readonly id: string
  /** The token of the lease. */
  readonly token: string
}

/** Begins an upload, with its first lease if there is one. One of length zero is whole at once. */
export async function createUpload(
  queries: Queries,
  upload: NewUpload,
  lease?: LeaseRecord,
): Promise<void> {
  const now = Date.now()
  await queries
    .insertInto('uploads')
    .values({
      id: upload.id,
      owner: upload.owner,
      dialect: upload.dialect,
      length: upload.length ?? null,
      offset: 0,
      metadata: upload.metadata ?? null,
      filename: upload.filename ?? null,
      content_type: upload.contentType ?? null,
      state: upload.length === 0 ? 'assembling' : 'receiving',
      tail_size: 0,
      expires_at: upload.expiresAt,
      created_at: now,
      updated_at: now,
      ...(lease && {
        lease_holder: lease.holder,
        lease_token: lease.token,
        lease_until: lease.until,
      }),
    })
    .execute()
}

/** One indexed read. */
export async function findUpload(queries: Queries, id: string): Promise<Upload | undefined> {
  const row = await findRow(queries, id)
  return row && toUpload(row)
}

async function findRow(queries: Queries, id: string): Promise<UploadRow | undefined> {
  return queries.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
}

export interface ListOptions {
  readonly owner: string
  readonly limit: number
  /** Only uploads created before the one with this id. */
  readonly before?: string | undefined
}

/** Newest first. */
export async function listUploads(queries: Queries, options: ListOptions): Promise<Upload[]> {
  let query = queries.selectFrom('uploads').selectAll().where('owner', '=', options.owner)
  if (options.before) query = query.where('id', '<', options.before)
  const rows = await query.orderBy('id', 'desc').limit(options.limit).execute()
  return rows.map((row) => toUpload(row))
}

/** Where an upload stands that was just created. */
export function startOf({ id, length }: Pick<Upload, 'id' | 'length'>): UploadPosition {
  const noParts = { multipartId: undefined, partCount: 0, unsettledParts: undefined }
  const noTail = { tail: undefined, tailEpoch: 0, tailUnsettled: false }
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
  const row = await findRow(queries, id)
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

/**
 * Records bytes that became durable: `receiving → receiving`, or `→ assembling` with the last one,
 * before storage is told to assemble. The offset never goes down.
 * @throws AppError `lease-lost` (423) when another request may have the upload by now.
 */
export async function recordProgress(
  database: Database,
  fence: Fence,
  progress: Progress,
  expiresAt: number,
): Promise<void> {
  await database.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('uploads')
      .set((eb) => ({
        ...positionColumns(progress),
        state: eb
          .case()
          .when('length', '=', progress.offset)
          .then('assembling' as const)
          .else('receiving' as const)
          .end(),
        expires_at: expiresAt,
        updated_at: Date.now(),
      }))
      .where('id', '=', fence.id)
      .where('lease_token', '=', fence.token)
      .where('state', '=', 'receiving')
      .where('offset', '<=', progress.offset)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw leaseLost()
    const parts = progress.parts.map((part) => ({ upload_id: fence.id, ...part }))
    if (parts.length > 0) await trx.insertInto('upload_parts').values(parts).execute()
  })
}

function positionColumns({ offset, unsettledParts, tail, ...progress }: Progress) {
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
  }
}

/**
 * The client says how long the upload is; `→ assembling` when all of it is there already.
 * @throws AppError `lease-lost` (423)
 */
export async function declareLength(
  queries: Queries,
  fence: Fence,
  length: number,
): Promise<Upload> {
  const row = await queries
    .updateTable('uploads')
    .set((eb) => ({
      length,
      state: eb
        .case()
        .when('offset', '=', length)
        .then('assembling' as const)
        .else('receiving' as const)
        .end(),
      updated_at: Date.now(),
    }))
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', '=', 'receiving')
    .where('length', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (!row) throw leaseLost()
  return toUpload(row)
}

/**
 * `assembling → stored`; or `receiving → stored` when `whole` says that storage made the object in
 * one piece. Ends the lease. Returns the upload, or undefined for a lease that is lost.
 *
 * @param sha256 the digest of the content, if it is known.
 */
export async function markStored(
  trx: Transaction<Schema>,
  fence: Fence,
  whole?: Progress,
  sha256?: string,
): Promise<Upload | undefined> {
  const now = Date.now()
  let update = trx
    .updateTable('uploads')
    .set({
      state: 'stored',
      stored_at: now,
      updated_at: now,
      expires_at: null,
      multipart_id: null,
      tail_key: null,
      tail_size: 0,
      tail_crc32: null,
      ...noLease,
      ...(whole && { offset: whole.offset }),
      ...(sha256 !== undefined && { sha256 }),
    })
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', '=', whole ? 'receiving' : 'assembling')
  if (whole) update = update.where('length', '=', whole.offset)
  const row = await update.returningAll().executeTakeFirst()
  if (row && !whole) {
    await trx.deleteFrom('upload_parts').where('upload_id', '=', fence.id).execute()
  }
  return row && toUpload(row)
}

export const noLease = {
  lease_holder: null,
  lease_token: null,
  lease_until: null,
  lease_wanted: 0,
} as const

/** `receiving` or `assembling → failed`: storage no longer has what was acknowledged. */
export async function markFailed(queries: Queries, fence: Fence, failure: string): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ state: 'failed', failure, updated_at: Date.now() })
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', 'in', ['receiving', 'assembling'])
    .execute()
}

/** Records the digest of the whole content, in hex, once it is known. */
export async function recordDigest(queries: Queries, id: string, sha256: string): Promise<void> {
  await queries.updateTable('uploads').set({ sha256 }).where('id', '=', id).execute()
}
