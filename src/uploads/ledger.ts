/**
 * The ledger: the one truth about where an upload stands. Storage holds bytes; only what is written
 * here counts. Each state change is one function, conditional on the state before it and, where
 * bytes are concerned, on the lease: who has lost it cannot change anything.
 */
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema, UploadRow } from '../database/schema.ts'
import type { Progress } from '../storage/contract.ts'
import type { KnownContent } from './check-whole.ts'
import { leaseLost } from './errors.ts'
import { positionColumns } from './position.ts'
import { type LeaseRecord, type NewUpload, partial, toUpload, type Upload } from './upload.ts'

/** What a write to the ledger is checked by. */
export interface Fence {
  readonly id: string
  /** The token of the lease. */
  readonly token: string
}

/**
 * Begins an upload, with its first lease if there is one.
 * @param completes whether it is complete with its last byte, so that one of length zero is at once.
 */
export async function createUpload(
  queries: Queries,
  upload: NewUpload,
  lease?: LeaseRecord,
  completes = true,
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
      concat: upload.isPartial ? partial : null,
      repr_digest: upload.digests?.expected ?? null,
      want_repr_digest: upload.digests?.wanted ?? null,
      state: upload.length === 0 && completes ? 'assembling' : 'receiving',
      tail_size: 0,
      expires_at: upload.expiresAt,
      link_check_at: upload.link?.checkAt ?? null,
      incoming_until: upload.link?.incomingUntil ?? null,
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

/** Newest first. Uploads that others are made of are not among them. */
export async function listUploads(queries: Queries, options: ListOptions): Promise<Upload[]> {
  let query = queries
    .selectFrom('uploads')
    .selectAll()
    .where('owner', '=', options.owner)
    .where((eb) => eb.or([eb('concat', 'is', null), eb('concat', '!=', partial)]))
  if (options.before) query = query.where('id', '<', options.before)
  const rows = await query.orderBy('id', 'desc').limit(options.limit).execute()
  return rows.map((row) => toUpload(row))
}

/**
 * Records bytes that became durable: `receiving → receiving`, or `→ assembling` with the last one,
 * before storage is told to assemble. The offset never goes down.
 * @param completes whether the upload is complete with its last byte.
 * @throws AppError `lease-lost` (423) when another request may have the upload by now.
 */
export async function recordProgress(
  database: Database,
  fence: Fence,
  progress: Progress,
  expiresAt: number,
  completes = true,
): Promise<void> {
  await database.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('uploads')
      .set((eb) => ({
        ...positionColumns(progress),
        state: completes
          ? eb
              .case()
              .when('length', '=', progress.offset)
              .then('assembling' as const)
              .else('receiving' as const)
              .end()
          : 'receiving',
        expires_at: expiresAt,
        updated_at: Date.now(),
      }))
      .where('id', '=', fence.id)
      .where('lease_token', '=', fence.token)
      .where('state', '=', 'receiving')
      .where('offset', '<=', progress.offset)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw leaseLost()
    await addParts(trx, fence, progress)
  })
}

async function addParts(
  trx: Transaction<Schema>,
  { id }: Fence,
  progress: Progress,
): Promise<void> {
  const parts = progress.parts.map((part) => ({ upload_id: id, ...part }))
  if (parts.length > 0) await trx.insertInto('upload_parts').values(parts).execute()
}

/** Records bytes of a concatenation that became durable: `assembling → assembling`. */
export async function recordConcatenated(
  database: Database,
  fence: Fence,
  progress: Progress,
): Promise<void> {
  await database.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('uploads')
      .set({ ...positionColumns(progress), updated_at: Date.now() })
      .where('id', '=', fence.id)
      .where('lease_token', '=', fence.token)
      .where('state', '=', 'assembling')
      .where('offset', '<=', progress.offset)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw leaseLost()
    await addParts(trx, fence, progress)
  })
}

/**
 * `assembling → stored`; or `receiving → stored` when `whole` says that storage made the object in
 * one piece. Ends the lease. Returns the upload, or undefined for a lease that is lost.
 *
 * @param known of the content.
 */
export async function markStored(
  trx: Transaction<Schema>,
  fence: Fence,
  whole?: Progress,
  known: KnownContent = {},
): Promise<Upload | undefined> {
  const now = Date.now()
  let update = trx
    .updateTable('uploads')
    .set((eb) => ({
      state: 'stored',
      stored_at: now,
      updated_at: now,
      // A partial upload that nobody made anything of is not kept for ever.
      expires_at: eb
        .case()
        .when(eb.and([eb('concat', '=', partial), eb('final_id', 'is', null)]))
        .then(eb.ref('expires_at'))
        .else(null)
        .end(),
      ...nothingOpen,
      ...noLease,
      ...(whole && { offset: whole.offset }),
      ...(known.sha256 !== undefined && { sha256: known.sha256 }),
      ...(known.reprDigest !== undefined && { repr_digest: known.reprDigest }),
    }))
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

/** The columns of an upload that storage holds nothing of but its object. */
export const nothingOpen = {
  multipart_id: null,
  unsettled_parts: 0,
  unsettled_part_size: null,
  tail_key: null,
  tail_size: 0,
  tail_crc32: null,
  staged_token: null,
  staged_count: 0,
  link_check_at: null,
} as const

export const noLease = {
  lease_holder: null,
  lease_token: null,
  lease_until: null,
  lease_wanted: 0,
} as const

/**
 * `receiving` or `assembling → failed`: storage no longer has what was acknowledged, or it is not
 * what may be.
 * @param clears whether storage is to be cleared of it at once.
 */
export async function markFailed(
  queries: Queries,
  fence: Fence,
  failure: string,
  clears = false,
): Promise<void> {
  const now = Date.now()
  await queries
    .updateTable('uploads')
    .set((eb) => ({
      state: 'failed',
      failure,
      updated_at: now,
      // Storage is cleared of it as of those that expire; at once where another upload waits for it.
      expires_at: eb
        .case()
        .when(eb.or([eb('final_id', 'is not', null), eb.lit(clears)]))
        .then(now)
        .else(eb.fn.coalesce('expires_at', eb.val(now)))
        .end(),
    }))
    .where('id', '=', fence.id)
    .where('lease_token', '=', fence.token)
    .where('state', 'in', ['receiving', 'assembling'])
    .execute()
}

/** Records the digest of the whole content, in hex, once it is known. */
export async function recordDigest(queries: Queries, id: string, sha256: string): Promise<void> {
  await queries.updateTable('uploads').set({ sha256 }).where('id', '=', id).execute()
}
