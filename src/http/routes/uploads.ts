import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import { findImage, findImages } from '../../images/records.ts'
import { originalKey } from '../../storage/keys.ts'
import { findUpload, listUploads } from '../../uploads/ledger.ts'
import type { Upload } from '../../uploads/upload.ts'
import { requireReach, userOf } from '../access.ts'
import type { Deliver } from '../content.ts'
import type { HttpEnvironment } from '../context.ts'
import { readCursor, toPage } from '../cursor.ts'
import { requireReadable } from '../readable-upload.ts'
import { delivered, deliveryFields, errors, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, pageOf, pageQuery, uploadSchema } from '../schemas.ts'
import type { Views } from '../views.ts'

export interface UploadRouteDependencies {
  readonly queries: Queries
  readonly deliver: Deliver
  readonly views: Views
}

const tags = ['Uploads']

const list = createRoute({
  method: 'get',
  path: '/v1/uploads',
  operationId: 'listUploads',
  tags,
  summary: 'My uploads, newest first, unfinished ones too',
  request: { query: pageQuery },
  responses: {
    200: json(pageOf(uploadSchema), 'A page of uploads'),
    ...errors(400),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}',
  operationId: 'getUpload',
  tags,
  summary: 'An upload and where it stands',
  request: { params: idParameter },
  responses: { 200: json(uploadSchema, 'The upload'), 404: problem('No such upload') },
})

const content = createRoute({
  method: 'get',
  path: '/v1/uploads/{id}/content',
  operationId: 'getUploadContent',
  tags,
  summary: 'The bytes, as they were uploaded',
  description: 'Answers HEAD, `Range` and conditional requests.',
  parameters: deliveryFields,
  request: { params: idParameter },
  responses: {
    ...delivered('*/*', 'The bytes'),
    404: problem('No such upload'),
    409: problem('The upload is not finished, or a part of another one'),
    410: problem('The upload expired, or storage lost its bytes'),
  },
})

export function uploadRoutes({ queries, deliver, views }: UploadRouteDependencies) {
  async function owned(c: Context<HttpEnvironment>, id: string): Promise<Upload> {
    return requireReach(c, await findUpload(queries, id), 'upload')
  }

  return createRouter()
    .openapi(list, async (c) => {
      const { limit, cursor } = c.req.valid('query')
      const owner = userOf(c).id
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
    .openapi(read, async (c) => {
      const upload = await owned(c, c.req.valid('param').id)
      return c.json(views.upload(upload, await findImage(queries, upload.id)), 200)
    })
    .openapi(content, async (c) => {
      const upload = await owned(c, c.req.valid('param').id)
      requireReadable(upload)
      if (upload.state !== 'stored') {
        throw new AppError(
          'upload-not-stored',
          409,
          'The upload is not finished; its bytes come after the last one.',
        )
      }
      const image = await findImage(queries, upload.id)
      // What a client says that its bytes are is not believed where they have not been looked at.
      const isExamined = image === undefined || image.sha256 !== undefined
      return deliver(c, {
        key: originalKey(upload.id),
        size: upload.offset,
        etag: upload.id,
        contentType: isExamined ? image?.contentType : undefined,
        declaredType: upload.contentType,
        filename: upload.filename,
        settled: isExamined,
      })
    })
}
