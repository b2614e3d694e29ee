import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { seesAll } from '../../auth/access.ts'
import type { Queries } from '../../database/database.ts'
import type { Image } from '../../images/image.ts'
import { findImage, listImages } from '../../images/records.ts'
import type { RemoveUpload } from '../../uploads/remove.ts'
import { requireReach, userOf } from '../access.ts'
import type { HttpEnvironment } from '../context.ts'
import { readCursor, toPage } from '../cursor.ts'
import { notFound } from '../problem.ts'
import { empty, errors, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, imageSchema, imageStateSchema, pageOf, pageQuery } from '../schemas.ts'
import type { Views } from '../views.ts'

export interface ImageRouteDependencies {
  readonly queries: Queries
  readonly removeUpload: RemoveUpload
  readonly views: Views
  /** Whether the owner of an image has shown it to the other users. */
  readonly isShown: (imageId: string) => Promise<boolean>
}

const locked = problem('A request that is sending its bytes does not let go')
const tags = ['Images']

const list = createRoute({
  method: 'get',
  path: '/v1/images',
  operationId: 'listImages',
  tags,
  summary: 'My images, newest first',
  request: { query: pageQuery.extend({ state: imageStateSchema.optional() }) },
  responses: {
    200: json(pageOf(imageSchema), 'A page of images'),
    ...errors(400),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/images/{id}',
  operationId: 'getImage',
  tags,
  summary: 'An image, its state and its renditions',
  request: { params: idParameter },
  responses: { 200: json(imageSchema, 'The image'), 404: problem('No such image') },
})

const remove = createRoute({
  method: 'delete',
  path: '/v1/images/{id}',
  operationId: 'deleteImage',
  tags,
  summary: 'Delete an image: its original, its renditions and its record',
  request: { params: idParameter },
  responses: { 204: empty('Deleted'), 404: problem('No such image'), 423: locked },
})

export function imageRoutes({ queries, removeUpload, views, isShown }: ImageRouteDependencies) {
  async function owned(c: Context<HttpEnvironment>, id: string): Promise<Image> {
    const image = await findImage(queries, id)
    return requireReach(c, image && { ...image, isShown: () => isShown(id) }, 'image')
  }

  return createRouter()
    .openapi(list, async (c) => {
      const { limit, cursor, state } = c.req.valid('query')
      const found = await listImages(queries, {
        owner: userOf(c).id,
        limit: limit + 1,
        before: readCursor(cursor),
        state,
      })
      return c.json(toPage(found, limit, views.image), 200)
    })
    .openapi(read, async (c) => {
      const image = await owned(c, c.req.valid('param').id)
      const view = seesAll(c.get('caller'), image) ? views.image : views.shownImage
      return c.json(view(image), 200)
    })
    .openapi(remove, async (c) => {
      const { id } = await owned(c, c.req.valid('param').id)
      if (!(await removeUpload(id))) throw notFound('image')
      return c.body(null, 204)
    })
}
