/**
 * The ledger: the one truth about where an upload stands. Storage holds bytes; only what is written
 * here counts. Each state change is one function, and each is conditional on the state before it, so
 * that doing it twice, or from two places, changes nothing.
 */
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { AppError } from '../errors.ts'
import type { Progress, UploadPosition } from '../storage/contract.ts'
import { type NewUpload, toUpload, type Upload } from './upload.ts'

/** Begins an upload. One of length zero is whole at once. */
export async function createUpload(queries: Queries, upload: NewUpload): Promise<void> {
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
      created_at: now,
      updated_at: now,
    })
    .execute()
}

/** One indexed read. */
export async function findUpload(queries: Queries, id: string): Promise<Upload | undefined> {
  const row = await queries
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toUpload(row)
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
  return rows.map(toUpload)
}

/** What storage needs to carry on with an upload, or undefined when there is no such upload. */
export async function readPosition(
  queries: Queries,
  id: string,
): Promise<UploadPosition | undefined> {
  const row = await queries
    .selectFrom('uploads')
    .select(['length', 'offset', 'multipart_id', 'tail_key', 'tail_size'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  const parts = await queries
    .selectFrom('upload_parts')
    .select(['number', 'size', 'etag'])
    .where('upload_id', '=', id)
    .orderBy('number')
    .execute()
  return {
    id,
    length: row.length ?? undefined,
    offset: row.offset,
    multipartId: row.multipart_id ?? undefined,
    parts,
    tail: row.tail_key ? { key: row.tail_key, size: row.tail_size } : undefined,
  }
}

/**
 * Records bytes that became durable: `receiving → receiving`, or `→ assembling` with the last one,
 * before storage is told to assemble. Moves only from the offset the writer started at, so a writer
 * that was overtaken cannot move it.
 * @throws AppError `upload-moved-on` (409) when the upload is no longer where the writer left it.
 */
export async function recordProgress(
  database: Database,
  id: string,
  from: number,
  progress: Progress,
): Promise<void> {
  await database.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('uploads')
      .set((eb) => ({
        offset: progress.offset,
        state: eb
          .case()
          .when('length', '=', progress.offset)
          .then('assembling' as const)
          .else('receiving' as const)
          .end(),
        multipart_id: progress.multipartId ?? null,
        tail_key: progress.tail?.key ?? null,
        tail_size: progress.tail?.size ?? 0,
        updated_at: Date.now(),
      }))
      .where('id', '=', id)
      .where('state', '=', 'receiving')
      .where('offset', '=', from)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) {
      throw new AppError('upload-moved-on', 409, 'The upload was continued by another request.')
    }
    if (progress.part) {
      await trx
        .insertInto('upload_parts')
        .values({ upload_id: id, ...progress.part })
        .execute()
    }
  })
}

/** The client says how long the upload is; `→ assembling` when all of it is there already. */
export async function declareLength(queries: Queries, id: string, length: number): Promise<void> {
  await queries
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
    .where('id', '=', id)
    .where('state', '=', 'receiving')
    .where('length', 'is', null)
    .execute()
}

/** `assembling → stored`. Returns the upload, or undefined when it was not assembling. */
export async function markStored(
  trx: Transaction<Schema>,
  id: string,
): Promise<Upload | undefined> {
  const now = Date.now()
  const row = await trx
    .updateTable('uploads')
    .set({
      state: 'stored',
      stored_at: now,
      updated_at: now,
      multipart_id: null,
      tail_key: null,
      tail_size: 0,
    })
    .where('id', '=', id)
    .where('state', '=', 'assembling')
    .returningAll()
    .executeTakeFirst()
  if (row) await trx.deleteFrom('upload_parts').where('upload_id', '=', id).execute()
  return row && toUpload(row)
}

/** `receiving` or `assembling → failed`: storage no longer has what was acknowledged. */
export async function markFailed(queries: Queries, id: string, failure: string): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ state: 'failed', failure, updated_at: Date.now() })
    .where('id', '=', id)
    .where('state', 'in', ['receiving', 'assembling'])
    .execute()
}

/** The ids of uploads that wait to be assembled since before a time, longest first. */
export async function findAssembling(
  queries: Queries,
  before: number,
  limit: number,
): Promise<string[]> {
  const rows = await assemblingQuery(queries, before, limit).execute()
  return rows.map((row) => row.id)
}

/** Exported for the test that looks at its plan. */
export function assemblingQuery(queries: Queries, before: number, limit: number) {
  return queries
    .selectFrom('uploads')
    .select('id')
    .where('state', '=', 'assembling')
    .where('updated_at', '<=', before)
    .orderBy('updated_at')
    .limit(limit)
}

/** Puts an upload that could not be assembled behind the others that wait. */
export async function postponeAssembling(queries: Queries, id: string): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ updated_at: Date.now() })
    .where('id', '=', id)
    .where('state', '=', 'assembling')
    .execute()
}

/** Records the digest of the whole content, in hex, once it is known. */
export async function recordDigest(queries: Queries, id: string, sha256: string): Promise<void> {
  await queries.updateTable('uploads').set({ sha256 }).where('id', '=', id).execute()
}
