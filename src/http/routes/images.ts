import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import type { Image, Rendition } from '../../images/image.ts'
import { findImage, listImages } from '../../images/records.ts'
import type { ObjectStorage } from '../../storage/contract.ts'
import type { RemoveUpload } from '../../uploads/remove.ts'
import { serveContent } from '../content.ts'
import type { HttpEnvironment } from '../context.ts'
import { readCursor, toPage } from '../cursor.ts'
import { notFound } from '../problem.ts'
import { bytes, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, imageSchema, imageStateSchema, pageOf, pageQuery } from '../schemas.ts'
import type { Views } from '../views.ts'

export interface ImageRouteDependencies {
  readonly queries: Queries
  readonly storage: ObjectStorage
  readonly removeUpload: RemoveUpload
  readonly views: Views
  readonly presetNames: ReadonlySet<string>
}

const list = createRoute({
  method: 'get',
  path: '/v1/images',
  summary: 'My images, newest first',
  request: { query: pageQuery.extend({ state: imageStateSchema.optional() }) },
  responses: {
    200: json(pageOf(imageSchema), 'A page of images'),
    400: problem('A bad parameter'),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/images/{id}',
  summary: 'An image, its state and its renditions',
  request: { params: idParameter },
  responses: { 200: json(imageSchema, 'The image'), 404: problem('No such image') },
})

const remove = createRoute({
  method: 'delete',
  path: '/v1/images/{id}',
  summary: 'Delete an image: its original, its renditions and its record',
  request: { params: idParameter },
  responses: { 204: { description: 'Deleted' }, 404: problem('No such image') },
})

const rendition = createRoute({
  method: 'get',
  path: '/v1/images/{id}/{preset}',
  summary: 'The bytes of a rendition',
  description:
    'Where a preset has several formats, `Accept` decides, or `format`. Answers HEAD, `Range` and conditional requests.',
  request: {
    params: idParameter.extend({ preset: z.string().max(64) }),
    query: z.object({ format: z.string().max(16).optional() }),
  },
  responses: {
    200: bytes('The rendition'),
    202: bytes('Not converted yet; try again after `Retry-After` seconds'),
    206: bytes('A range of it'),
    304: bytes('Not modified'),
    404: bytes('No such image or preset'),
    416: bytes('No such range'),
    422: bytes('The image cannot be converted; `code` and `detail` say why'),
  },
})

export function imageRoutes({
  queries,
  storage,
  removeUpload,
  views,
  presetNames,
}: ImageRouteDependencies) {
  const app = createRouter()

  async function owned(c: Context<HttpEnvironment>, id: string): Promise<Image> {
    const image = await findImage(queries, id)
    if (image?.owner !== c.get('principal').id) throw notFound('image')
    return image
  }

  app.openapi(list, async (c) => {
    const { limit, cursor, state } = c.req.valid('query')
    const found = await listImages(queries, {
      owner: c.get('principal').id,
      limit: limit + 1,
      before: readCursor(cursor),
      state,
    })
    return c.json(toPage(found, limit, views.image), 200)
  })

  app.openapi(read, async (c) => c.json(views.image(await owned(c, c.req.valid('param').id)), 200))

  app.openapi(remove, async (c) => {
    const { id } = await owned(c, c.req.valid('param').id)
    if (!(await removeUpload(id))) throw notFound('image')
    return c.body(null, 204)
  })

  app.openapi(rendition, async (c) => {
    const { id, preset } = c.req.valid('param')
    const image = await owned(c, id)
    if (image.state === 'processing') return notReady(c, image, presetNames.has(preset))
    if (image.error) throw new AppError(image.error.code, 422, image.error.message)
    const candidates = image.renditions.filter((one) => one.preset === preset)
    const chosen = chooseFormat(c, candidates, c.req.valid('query').format)
    if (!chosen) throw notFound('rendition')
    if (candidates.length > 1) c.header('Vary', 'Accept', { append: true })
    return serveContent(c, storage, chosen)
  })

  return app
}

function notReady(c: Context, { id, state }: Image, known: boolean): Response {
  if (!known) throw notFound('rendition')
  return c.json({ id, state }, 202, { 'Retry-After': '1', 'Cache-Control': 'no-store' })
}

/** The format asked for by name, else the one the client likes best, else the preset's first. */
function chooseFormat(
  c: Context,
  candidates: readonly Rendition[],
  format: string | undefined,
): Rendition | undefined {
  const [first] = candidates
  if (format) return candidates.find((one) => one.format === format)
  if (!first || candidates.length === 1) return first
  const type = accepts(c, {
    header: 'Accept',
    supports: candidates.map((one) => one.contentType),
    default: first.contentType,
  })
  return candidates.find((one) => one.contentType === type)
}
