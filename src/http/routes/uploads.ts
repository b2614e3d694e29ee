import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import { findImage, findImages } from '../../images/records.ts'
import type { ObjectStorage } from '../../storage/contract.ts'
import { originalKey } from '../../storage/keys.ts'
import { uploadGone } from '../../uploads/errors.ts'
import { findUpload, listUploads } from '../../uploads/ledger.ts'
import type { Upload } from '../../uploads/upload.ts'
import { serveContent } from '../content.ts'
import type { HttpEnvironment } from '../context.ts'
import { readCursor, toPage } from '../cursor.ts'
import { notFound } from '../problem.ts'
import { bytes, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, pageOf, pageQuery, uploadSchema } from '../schemas.ts'
import type { Views } from '../views.ts'

export interface UploadRouteDependencies {
  readonly queries: Queries
  readonly storage: ObjectStorage
  readonly views: Views
}

const list = createRoute({
  method: 'get',
  path: '/v1/uploads',
  summary: 'My uploads, newest first, unfinished ones too',
  request: { query: pageQuery },
  responses: {
    200: json(pageOf(uploadSchema), 'A page of uploads'),
    400: problem('A bad parameter'),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}',
  summary: 'An upload and where it stands',
  request: { params: idParameter },
  responses: { 200: json(uploadSchema, 'The upload'), 404: problem('No such upload') },
})

const content = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}/content',
  summary: 'The bytes, as they were uploaded',
  description: 'Answers HEAD, `Range` and conditional requests.',
  request: { params: idParameter },
  responses: {
    200: bytes('The bytes'),
    206: bytes('A range of them'),
    304: bytes('Not modified'),
    404: bytes('No such upload'),
    409: bytes('The upload is not finished, or a part of another one'),
    410: bytes('The upload expired, or storage lost its bytes'),
    416: bytes('No such range'),
  },
})

export function uploadRoutes({ queries, storage, views }: UploadRouteDependencies) {
  const app = createRouter()

  async function owned(c: Context<HttpEnvironment>, id: string): Promise<Upload> {
    const upload = await findUpload(queries, id)
    if (upload?.owner !== c.get('principal').id) throw notFound('upload')
    return upload
  }

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const owner = c.get('principal').id
    const found = await listUploads(queries, {
      owner,
      limit: limit + 1,
      before: readCursor(cursor),
    })
    const images = await findImages(
      queries,
      found.map(({ id }) => id),
    )
    return c.json(
      toPage(found, limit, (upload) => views.upload(upload, images.get(upload.id))),
      200,
    )
  })

  app.openapi(read, async (c) => {
    const upload = await owned(c, c.req.valid('param').id)
    return c.json(views.upload(upload, await findImage(queries, upload.id)), 200)
  })

  app.openapi(content, async (c) => {
    const upload = await owned(c, c.req.valid('param').id)
    if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
    if (upload.state !== 'stored') {
      throw new AppError(
        'upload-not-stored',
        409,
        'The upload is not finished; its bytes come after the last one.',
      )
    }
    if (upload.concat?.role === 'partial') {
      const message = 'The upload is a part of another one; its bytes are there.'
      throw new AppError('upload-is-partial', 409, message)
    }
    const image = await findImage(queries, upload.id)
    return serveContent(c, storage, {
      key: originalKey(upload.id),
      size: upload.offset,
      etag: upload.id,
      contentType: image?.contentType ?? upload.contentType ?? 'application/octet-stream',
      filename: upload.filename,
      settled: image?.state !== 'processing',
    })
  })

  return app
}
