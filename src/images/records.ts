import type { ConversionResult } from '../conversion/contract.ts'
import type { Queries, Transaction } from '../database/database.ts'
import type { ImageRow, ImageState, RenditionRow, Schema } from '../database/schema.ts'
import type { Upload } from '../uploads/upload.ts'
import { type Image, type Rendition, toImage } from './image.ts'

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
      content_type: original?.contentType ?? upload.contentType ?? null,
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
  if (options.state) query = query.where('state', '=', options.state)
  return withRenditions(queries, await query.orderBy('id', 'desc').limit(options.limit).execute())
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
    .execute()
  const byImage = Map.groupBy(renditions, (rendition: RenditionRow) => rendition.image_id)
  return images.map((image) => toImage(image, byImage.get(image.id) ?? []))
}

/**
 * `processing → ready`, with everything the conversion found out. Returns false when the image is
 * gone or settled already.
 */
export async function markReady(
  trx: Transaction<Schema>,
  id: string,
  original: Original,
  result: ConversionResult,
  renditions: readonly Rendition[],
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('images')
    .set({
      state: 'ready',
      content_type: original.contentType ?? null,
      sha256: original.sha256,
      format: result.format,
      width: result.width,
      height: result.height,
      thumbhash: result.thumbhash,
      color: result.color,
      exif: result.exif ? JSON.stringify(result.exif) : null,
      finished_at: Date.now(),
    })
    .where('id', '=', id)
    .where('state', '=', 'processing')
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  await trx
    .insertInto('renditions')
    .values(
      renditions.map(({ key, contentType, ...rest }) => ({
        image_id: id,
        storage_key: key,
        content_type: contentType,
        ...rest,
      })),
    )
    .execute()
  return true
}

/** `processing → failed`. Returns false when the image is gone or settled already. */
export async function markFailed(
  trx: Transaction<Schema>,
  id: string,
  failure: Failure,
  original?: Original,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('images')
    .set({
      state: 'failed',
      ...failureColumns(failure),
      ...(original && { sha256: original.sha256 }),
      ...(original?.contentType && { content_type: original.contentType }),
    })
    .where('id', '=', id)
    .where('state', '=', 'processing')
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

function failureColumns({ code, message }: Failure) {
  return { error_code: code, error_message: message, finished_at: Date.now() }
}

/** The storage keys of an image's renditions. */
export async function renditionKeys(queries: Queries, imageId: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('renditions')
    .select('storage_key')
    .where('image_id', '=', imageId)
    .execute()
  return rows.map((row) => row.storage_key)
}
