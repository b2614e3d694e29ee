import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Queries } from '../../database/database.ts'
import type { Image, Rendition } from '../../images/image.ts'
import { findImage } from '../../images/records.ts'
import { findUpload } from '../../uploads/ledger.ts'
import type { Upload } from '../../uploads/upload.ts'
import { requireReach } from '../access.ts'
import { createChoice, type Presets, sendChosen } from '../choose-rendition.ts'
import type { Deliver } from '../content.ts'
import type { HttpEnvironment } from '../context.ts'
import { notFound } from '../problem.ts'
import { requireReadable } from '../readable-upload.ts'
import { delivered, deliveryFields, errors, later, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, notReadySchema } from '../schemas.ts'

export interface RenditionRouteDependencies {
  readonly queries: Queries
  readonly deliver: Deliver
  readonly presets: Presets
  /** Whether the owner of an image has shown it to the other users. */
  readonly isShown: (imageId: string) => Promise<boolean>
}

const rendition = createRoute({
  method: 'get',
  path: '/v1/images/{id}/{preset}',
  operationId: 'getRendition',
  tags: ['Images'],
  summary: 'The bytes of a rendition',
  description:
    'Where a preset has several formats, `Accept` decides, or `format`. Answers HEAD, `Range` and conditional requests.',
  parameters: deliveryFields,
  request: {
    params: idParameter.extend({ preset: z.string().max(64) }),
    query: z.object({
      format: z.string().max(16).optional(),
      v: z.string().optional().openapi({
        description:
          'As in the `url` of the rendition. Another one leads to the same bytes, which may then not be kept without asking again.',
      }),
    }),
  },
  responses: {
    ...delivered('image/*', 'The rendition'),
    202: later(notReadySchema, 'Not converted yet; try again after `Retry-After` seconds'),
    ...errors(400),
    404: problem('No such image or preset, or this preset was never made of it'),
    409: problem('The upload is a part of another one'),
    410: problem('The upload expired, or storage lost its bytes'),
    422: problem('The image cannot be converted; `code` and `detail` say why'),
  },
})

export function renditionRoutes({
  queries,
  deliver,
  presets,
  isShown,
}: RenditionRouteDependencies) {
  const choose = createChoice(presets)

  /**
   * The image of an upload, or the upload while it is none yet.
   * @throws AppError `image-not-found` (404), also for somebody else's; 409 or 410 when there will be none.
   */
  async function findPicture(c: Context<HttpEnvironment>, id: string): Promise<Image | Upload> {
    const image = await findImage(queries, id)
    if (image) return requireReach(c, { ...image, isShown: () => isShown(id) }, 'image')
    const upload = await requireReach(c, await findUpload(queries, id), 'image')
    requireReadable(upload)
    if (upload.state !== 'stored') return upload
    // It was stored between the two looks.
    const created = await findImage(queries, id)
    if (!created) throw notFound('image')
    return created
  }

  return createRouter().openapi(rendition, async (c) => {
    const { id, preset } = c.req.valid('param')
    const { format, v } = c.req.valid('query')
    return sendChosen(
      async () => choose(c, await findPicture(c, id), { preset, format }),
      (one) => deliver(c, { ...one, lasting: isUrlOf(one, v) }),
    )
  })
}

/** Whether `v` is the one of its URL, under which nothing else will ever be; see `createViews`. */
function isUrlOf({ revision }: Rendition, v = '1'): boolean {
  return v === String(revision)
}
