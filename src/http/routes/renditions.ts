import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Preset } from '../../conversion/contract.ts'
import type { Queries } from '../../database/database.ts'
import { AppError, hasCode } from '../../errors.ts'
import type { Image, Rendition } from '../../images/image.ts'
import { findImage } from '../../images/records.ts'
import { findUpload } from '../../uploads/ledger.ts'
import type { Upload } from '../../uploads/upload.ts'
import { requireReach } from '../access.ts'
import type { Deliver } from '../content.ts'
import type { HttpEnvironment } from '../context.ts'
import { negotiate } from '../negotiate.ts'
import { notFound } from '../problem.ts'
import { requireReadable } from '../readable-upload.ts'
import { bytes, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, notReadySchema } from '../schemas.ts'

export interface RenditionRouteDependencies {
  readonly queries: Queries
  readonly deliver: Deliver
  /** What is made of every image at present. */
  readonly presets: readonly Pick<Preset, 'name' | 'formats'>[]
  /** Whether the owner of an image has shown it to the other users. */
  readonly isShown: (imageId: string) => Promise<boolean>
}

const rendition = createRoute({
  method: 'get',
  path: '/v1/images/{id}/{preset}',
  summary: 'The bytes of a rendition',
  description:
    'Where a preset has several formats, `Accept` decides, or `format`. Answers HEAD, `Range` and conditional requests.',
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
    200: bytes('The rendition'),
    202: json(notReadySchema, 'Not converted yet; try again after `Retry-After` seconds'),
    206: bytes('A range of it'),
    304: bytes('Not modified'),
    307: bytes('The bytes are at `Location`, for some minutes'),
    400: problem('A bad parameter'),
    404: problem('No such image or preset, or this preset was never made of it'),
    409: problem('The upload is a part of another one'),
    410: problem('The upload expired, or storage lost its bytes'),
    412: problem('`If-Match` names other bytes'),
    416: problem('No such range'),
    422: problem('The image cannot be converted; `code` and `detail` say why'),
  },
})

/** What is asked for of a picture. */
interface Wanted {
  readonly preset: string
  /** By name; decides alone. */
  readonly format: string | undefined
}

export function renditionRoutes({
  queries,
  deliver,
  presets,
  isShown,
}: RenditionRouteDependencies) {
  const app = createRouter()
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

  app.openapi(rendition, async (c) => {
    const { id, preset } = c.req.valid('param')
    const { format, v } = c.req.valid('query')
    const wanted = { preset, format }
    const send = (one: Rendition) => deliver(c, { ...one, lasting: isUrlOf(one, v) })
    const look = async () => choose(c, await findPicture(c, id), wanted)
    const chosen = await look()
    if (chosen instanceof Response) return chosen
    try {
      return await send(chosen)
    } catch (error) {
      if (!hasCode(error, 'object-not-found')) throw error
      // It may have been made anew, under another key, since the record was read.
      const now = await look()
      return now instanceof Response ? now : send(now)
    }
  })

  return app
}

/** Whether `v` is the one of its URL, under which nothing else will ever be; see `createViews`. */
function isUrlOf({ revision }: Rendition, v = '1'): boolean {
  return v === String(revision)
}

function createChoice(presets: RenditionRouteDependencies['presets']) {
  const formatsOf = new Map(presets.map(({ name, formats }) => [name, formats]))

  /** The rendition to deliver, or the answer that it is not there yet. */
  return (
    c: Context<HttpEnvironment>,
    picture: Image | Upload,
    { preset, format }: Wanted,
  ): Rendition | Response => {
    const formats: readonly string[] = formatsOf.get(preset) ?? []
    const all = 'renditions' in picture ? picture.renditions : []
    const made = all
      .filter((one) => one.preset === preset)
      .toSorted((a, b) => formats.indexOf(a.format) - formats.indexOf(b.format))
    // Those of a preset that is no longer made stay as long as their image.
    if (formats.length === 0 && made.length === 0) throw notFound('preset')
    if (!('renditions' in picture) || picture.state === 'processing') return notReady(c, picture)
    if (picture.error) throw new AppError(picture.error.code, 422, picture.error.message)
    const depends = format === undefined && Math.max(formats.length, made.length) > 1
    if (depends) c.header('Vary', 'Accept', { append: true })
    const chosen = format
      ? made.find((one) => one.format === format)
      : negotiate(c.req.header('Accept'), made)
    if (chosen) return chosen
    if (format && !formats.includes(format)) throw notFound('rendition')
    throw made.length > 0 && format ? notMadeIn(format) : notMade(preset)
  }
}

function notReady(c: Context, { id, state }: Image | Upload): Response {
  return c.json({ id, state }, 202, { 'Retry-After': '1', 'Cache-Control': 'no-store' })
}

function notMade(preset: string): AppError {
  const remedy = `"npm run reconvert -- --preset ${preset}" makes what is missing`
  const message = `The preset was not made of this image, as it was set up later; ${remedy}.`
  return new AppError('rendition-not-made', 404, message)
}

/** What moves goes on moving as WebP alone, and making it anew changes nothing of that. */
function notMadeIn(format: string): AppError {
  const message = `The preset was made of this image, but no ${format} of it: the image moves, or the format was set up later.`
  return new AppError('rendition-not-made', 404, message)
}
