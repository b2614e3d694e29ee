import { sql } from 'kysely'
import type { ConversionResult } from '../conversion/contract.ts'
import type { Queries, Transaction } from '../database/database.ts'
import type { ImageRow, ImageState, RenditionRow, Schema } from '../database/schema.ts'
import type { Upload } from '../uploads/upload.ts'
import { type Image, type Rendition, toImage } from './image.ts'
import { insertRenditions } from './rendition-records.ts'

/** What the bytes of an original say. */
export interface Original {
  readonly sha256: string
  readonly contentType: string | undefined
}

type Failure = { readonly code: string; readonly message: string }

/**
 * Creates the record of an upload's image: `processing`, or `failed` where it is known already that
 * it cannot be converted. Once for an upload, however often called.
 */
export async function createImage(
  trx: Transaction<Schema>,
  upload: Upload,
  original?: Original & { readonly refusal: Failure | undefined },
): Promise<void> {
  await trx
    .insertInto('images')
    .values({
      id: upload.id,
      owner: upload.owner,
      state: original?.refusal ? 'failed' : 'processing',
      filename: upload.filename ?? null,
      // Once the bytes were looked at, what the client said counts no more.
      content_type: (original ? original.contentType : upload.contentType) ?? null,
      sha256: original?.sha256 ?? null,
      size: upload.offset,
      created_at: upload.createdAt,
      ...(original?.refusal && failureColumns(original.refusal)),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

/** The image with its renditions; two indexed reads. */
export async function findImage(queries: Queries, id: string): Promise<Image | undefined> {
  const [image] = await withRenditions(
    queries,
    await queries.selectFrom('images').selectAll().where('id', '=', id).execute(),
  )
  return image
}

export interface ListImages {
  readonly owner: string
  readonly limit: number
  /** Only images uploaded before the one with this id. */
  readonly before?: string | undefined
  readonly state?: ImageState | undefined
}

/** Newest first, with their renditions; two reads, however many. */
export async function listImages(queries: Queries, options: ListImages): Promise<Image[]> {
  let query = queries.selectFrom('images').selectAll().where('owner', '=', options.owner)
  if (options.before) query = query.where('id', '<', options.before)
  if (options.state) query = query.where('state', '=', stateOf(options.state))
  return withRenditions(queries, await query.orderBy('id', 'desc').limit(options.limit).execute())
}

/** Written out where there is an index of those: SQLite does not see it behind parameters. */
function stateOf(state: ImageState) {
  return state === 'ready' ? state : sql.lit(state)
}

/** The images of some uploads by id, for lists of uploads. */
export async function findImages(
  queries: Queries,
  ids: readonly string[],
): Promise<Map<string, Image>> {
  if (ids.length === 0) return new Map()
  const rows = await queries.selectFrom('images').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, toImage(row, [])]))
}

async function withRenditions(queries: Queries, images: readonly ImageRow[]): Promise<Image[]> {
  if (images.length === 0) return []
  const renditions = await queries
    .selectFrom('renditions')
    .selectAll()
    .where(
      'image_id',
      'in',
      images.map((image) => image.id),
    )
    .orderBy('width')
    .orderBy('preset')
    .orderBy('format')
    .execute()
  const byImage = Map.groupBy(renditions, (rendition: RenditionRow) => rendition.image_id)
  return images.map((image) => toImage(image, byImage.get(image.id) ?? []))
}

/** What is known of an image once it is ready. */
export type Found = Pick<ImageRow, (typeof foundColumns)[number]>

export const foundColumns = [
  'content_type',
  'sha256',
  'format',
  'width',
  'height',
  'thumbhash',
  'color',
  'exif',
] as const

export function foundBy(original: Original, result: Omit<ConversionResult, 'renditions'>): Found {
  return {
    content_type: original.contentType ?? null,
    sha256: original.sha256,
    format: result.format,
    width: result.width,
    height: result.height,
    thumbhash: result.thumbhash,
    color: result.color,
    exif: result.exif ? JSON.stringify(result.exif) : null,
  }
}

/**
 * `processing → ready`, with its renditions, whose objects are locked. Returns false when the image is
 * gone or settled already.
 */
export async function markReady(
  trx: Transaction<Schema>,
  id: string,
  found: Found,
  renditions: readonly Rendition[],
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('images')
    .set((eb) => ({
      state: 'ready',
      ...found,
      finished_at: Date.now(),
      revision: eb('revision', '+', 1),
    }))
    .where('id', '=', id)
    .where('state', '=', 'processing')
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  await insertRenditions(trx, id, renditions)
  return true
}

/**
 * `processing → failed`. What the client said of its type goes, as nobody found that out. Returns
 * false when the image is gone or settled already.
 */
export async function markFailed(
  trx: Transaction<Schema>,
  id: string,
  failure: Failure,
  original?: Original,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('images')
    .set((eb) => ({
      state: 'failed',
      revision: eb('revision', '+', 1),
      ...failureColumns(failure),
      ...(original
        ? { sha256: original.sha256, content_type: original.contentType ?? null }
        : // It was looked at when it arrived, or never.
          {
            content_type: eb
              .case()
              .when('sha256', 'is not', null)
              .then(eb.ref('content_type'))
              .end(),
          }),
    }))
    .where('id', '=', id)
    .where('state', '=', 'processing')
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

function failureColumns({ code, message }: Failure) {
  return { error_code: code, error_message: message, finished_at: Date.now() }
}

/**
 * `failed → processing`, for one that failed by this. Returns false when it is gone, or in any other
 * way not so.
 */
export async function markUnfailed(
  trx: Transaction<Schema>,
  id: string,
  code: string,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('images')
    .set((eb) => ({
      state: 'processing',
      error_code: null,
      error_message: null,
      finished_at: null,
      revision: eb('revision', '+', 1),
    }))
    .where('id', '=', id)
    .where('state', '=', 'failed')
    .where('error_code', '=', code)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Its renditions are others than before. */
export async function markChanged(trx: Transaction<Schema>, id: string): Promise<void> {
  await trx
    .updateTable('images')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .execute()
}
