import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { SignedUrls } from '../../auth/signed-urls.ts'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import { findImage } from '../../images/records.ts'
import { findUpload } from '../../uploads/ledger.ts'
import { rateFields } from '../../uploads/limits/rate.ts'
import type { UploadLinks } from '../../uploads/links/service.ts'
import { contentTypeOf, filenameOf } from '../../uploads/metadata.ts'
import { isByLink } from '../../uploads/upload.ts'
import { requireReach, userOf } from '../access.ts'
import type { HttpEnvironment } from '../context.ts'
import { notFound } from '../problem.ts'
import { created, empty, errors, json, passing, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, imageSchema, linkWishSchema, uploadLinkSchema } from '../schemas.ts'
import { streamedBody } from '../streaming.ts'
import { timeView, type Views } from '../views.ts'

export interface UploadLinkRouteDependencies {
  readonly queries: Queries
  readonly uploadLinks: UploadLinks
  readonly signedUrls: SignedUrls
  readonly views: Views
  /** What clients call this server. */
  readonly publicUrl?: string | undefined
}

const tags = ['Upload links']
const noRoom = problem('There is no room for it')

const begin = createRoute({
  method: 'post',
  path: '/v1/upload-links',
  operationId: 'createUploadLink',
  tags,
  summary: 'A link to send a file to with one PUT, to the bucket itself if there is one',
  request: {
    body: { required: true, content: { 'application/json': { schema: linkWishSchema } } },
  },
  responses: {
    201: created(uploadLinkSchema, 'The link; `Location` is the upload'),
    ...errors(400),
    413: problem(
      'Larger than an upload may be, than a link can bring (use /files), or than the room that is left to its owner',
    ),
    415: problem('Files of this type are not accepted, or the body is no JSON by its type'),
    429: passing('Too many uploads are begun or unfinished'),
    507: noRoom,
  },
})

const content = createRoute({
  method: 'put',
  path: '/v1/upload-links/{id}/content',
  operationId: 'putUploadLinkContent',
  tags,
  summary: 'What a link leads to where there is no bucket: takes the bytes, all or none',
  request: {
    params: idParameter,
    query: z.object({ expires: z.string().optional(), signature: z.string().optional() }),
    body: { required: true, content: { '*/*': { schema: {} } } },
  },
  responses: {
    204: empty('The bytes are there; say so by `complete`'),
    400: problem('Not as many bytes as the link is for'),
    404: problem('No such link'),
    409: problem('The bytes were there already'),
    410: problem('The upload expired or failed'),
    423: passing('Another request goes on with it'),
    507: noRoom,
  },
})

const complete = createRoute({
  method: 'post',
  path: '/v1/upload-links/{id}/complete',
  operationId: 'completeUploadLink',
  tags,
  summary: 'Say that the bytes were sent; may be repeated',
  request: { params: idParameter },
  responses: {
    200: json(imageSchema, 'The image they are, in whatever state'),
    404: problem('No such link'),
    409: problem('The bytes have not arrived, or were not as many as was said'),
    410: problem('The upload expired or failed'),
    415: problem('Files of this type are not accepted; the upload failed'),
    423: passing('Somebody else is at it, and takes long'),
  },
})

const text = { type: 'string' } as const
const placeSchema = {
  bucket: { type: 'object', properties: { name: text } },
  object: { type: 'object', properties: { key: text } },
} as const

/** Only described: what does not fit it is ignored, and no fault of who sends it. */
const eventSchema = {
  type: 'object',
  properties: {
    Records: {
      type: 'array',
      items: {
        type: 'object',
        properties: { eventName: text, s3: { type: 'object', properties: placeSchema } },
      },
    },
    'detail-type': text,
    detail: { type: 'object', properties: placeSchema },
  },
} as const

const storageEvent = createRoute({
  method: 'post',
  path: '/v1/storage-events',
  operationId: 'takeStorageEvents',
  tags,
  summary: 'For the storage to tell what arrived',
  description:
    'Takes event notifications of S3 (also those of MinIO and Ceph) and events of Amazon EventBridge. What is no upload by link is ignored.',
  request: {
    body: {
      required: true,
      description: 'JSON, whatever it is said to be.',
      content: { 'application/json': { schema: eventSchema }, '*/*': { schema: {} } },
    },
  },
  responses: {
    204: empty('Understood, or ignored'),
    400: problem('No JSON'),
    413: problem('The body is far too long'),
  },
})

export function uploadLinkRoutes(dependencies: UploadLinkRouteDependencies) {
  const { queries, uploadLinks, signedUrls, views, publicUrl = '' } = dependencies

  function ownUrl(id: string, until: number): string {
    const path = `/v1/upload-links/${id}/content`
    return `${publicUrl}${path}?${new URLSearchParams(signedUrls.signUntil(path, until))}`
  }

  async function owned(c: Context<HttpEnvironment>, id: string) {
    const upload = await findUpload(queries, id)
    return requireReach(c, upload && isByLink(upload) ? upload : undefined, 'upload')
  }

  return createRouter()
    .openapi(begin, async (c) => {
      const { size, filename = null, contentType = null } = c.req.valid('json')
      const link = await uploadLinks.begin({
        owner: userOf(c).id,
        size,
        filename: filenameOf({ filename }),
        contentType: contentTypeOf({ contentType }),
      })
      const { id, until, headers, url = ownUrl(id, until), rate } = link
      for (const [name, value] of Object.entries(rateFields(rate))) c.header(name, value)
      const imageUrl = views.imageUrl(id)
      const view = { id, method: 'PUT' as const, url, headers: { ...headers }, imageUrl }
      // The URL is good for whoever has it.
      c.header('Cache-Control', 'no-store')
      return c.json({ ...view, expiresAt: timeView(until) }, 201, { Location: views.uploadUrl(id) })
    })
    .openapi(content, async (c) => {
      const { gone, ...body } = streamedBody(c)
      try {
        await uploadLinks.takeContent(c.req.valid('param').id, body, gone)
      } catch (error) {
        // Nobody hears of it, and nothing went wrong here.
        throw gone.aborted ? clientIsGone(error) : error
      }
      return c.body(null, 204)
    })
    .openapi(complete, async (c) => {
      const { id } = await owned(c, c.req.valid('param').id)
      await uploadLinks.complete(id)
      const image = await findImage(queries, id)
      if (!image) throw notFound('image')
      return c.json(views.image(image), 200)
    })
    .openapi(storageEvent, async (c) => {
      await uploadLinks.takeStorageEvent(parseJson(await c.req.text()))
      return c.body(null, 204)
    })
}

/** @throws AppError `bad-request` (400) */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('bad-request', 400, 'The body is no JSON.')
  }
}

function clientIsGone(cause: unknown): AppError {
  return new AppError('client-gone', 400, 'The request did not come to its end.', { cause })
}
