import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import { parse as parseDisposition } from 'content-disposition'
import type { Context } from 'hono'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import { findImage } from '../../images/records.ts'
import { untilConverted } from '../../images/wait.ts'
import { badHeader } from '../../uploads/errors.ts'
import { rateFields } from '../../uploads/limits/rate.ts'
import { fileField } from '../../uploads/one-request/form.ts'
import type { TakeFile } from '../../uploads/one-request/take-file.ts'
import { userOf } from '../access.ts'
import type { HttpEnvironment } from '../context.ts'
import { notFound } from '../problem.ts'
import { created, passing, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { imageSchema } from '../schemas.ts'
import { type StreamedBody, streamedBody } from '../streaming.ts'
import type { Views } from '../views.ts'

export interface OneRequestRouteDependencies {
  readonly queries: Queries
  readonly takeFile: TakeFile
  readonly views: Views
  /** Aborted when the program is about to stop: nobody is kept waiting then. */
  readonly stopping: AbortSignal
}

const query = z.object({
  wait: z.coerce.number().int().min(0).max(60).default(0).openapi({
    description: 'Seconds to wait for the conversion before the answer.',
  }),
  filename: z.string().max(1_024).optional().openapi({
    description: 'What the file is called, where neither the form nor `Content-Disposition` says.',
  }),
})

const upload = createRoute({
  method: 'post',
  path: '/v1/images',
  operationId: 'uploadImage',
  tags: ['Images'],
  summary: 'Upload an image in one request',
  description: `A form with one file, in the field \`${fileField}\`, or the file itself as the body. When the answer is an error, or there is none, nothing of the file stays; with an \`Idempotency-Key\` the request can be sent again without uploading twice.`,
  // What is below says what the body is; none of it is read for that.
  hide: true,
  request: { query },
  responses: {
    200: created(imageSchema, 'The image, which is ready or failed, as `state` says'),
    202: created(imageSchema, 'The image; it is stored, and being converted'),
    400: problem(
      'A bad parameter, no file (`no-file`), a form that cannot be used (`bad-form`), a body that ended early (`body-incomplete`)',
    ),
    404: problem('The image was deleted before this was answered'),
    409: passing(
      'The first request with the `Idempotency-Key` is under way (`idempotency-in-progress`)',
    ),
    413: problem('The file is too large, or the room of its owner is used up'),
    415: problem('Files of this type are not accepted'),
    422: problem('The `Idempotency-Key` was used for another request (`idempotency-key-reused`)'),
    423: passing('The upload was wanted by another request'),
    429: passing('Too many uploads are begun or unfinished'),
    503: passing('The server is about to stop, or storage does not answer'),
    507: problem('There is no room left in storage'),
  },
})

const file = z.string().openapi({ format: 'binary' })
const { hide: _, ...shown } = upload
const described: RouteConfig = {
  ...shown,
  request: {
    query,
    headers: z.object({
      'Idempotency-Key': z.string().min(1).max(255).optional().openapi({
        description:
          'The same for each try of a request: it is done once, and its image is the answer to all of them, for a day. 1 to 255 printable ASCII characters.',
      }),
      'Content-Disposition': z.string().optional().openapi({
        description: 'The `filename` of a file that is the body itself.',
      }),
    }),
    body: {
      required: true,
      content: {
        'multipart/form-data': { schema: z.object({ [fileField]: file }) },
        'application/octet-stream': { schema: file },
        'image/*': { schema: file },
      },
    },
  },
}

/** Uploads without a protocol for them. */
export function oneRequestRoutes({
  queries,
  takeFile,
  views,
  stopping,
}: OneRequestRouteDependencies) {
  const app = createRouter()
  app.openAPIRegistry.registerPath(described)

  return app.openapi(upload, async (c) => {
    const { wait, filename } = c.req.valid('query')
    const body = streamedBody(c)
    const { id, rate } = await whole(body, () =>
      takeFile({
        owner: userOf(c).id,
        stream: body.stream,
        isChunked: body.isChunked,
        announced: body.announced,
        contentType: c.req.header('Content-Type'),
        filename: dispositionName(c) ?? filename,
        key: readKey(c),
      }),
    )
    const signal = AbortSignal.any([body.gone, stopping])
    if (wait > 0) await untilConverted(queries, id, wait * 1_000, signal)
    const image = await findImage(queries, id)
    // It was removed meanwhile.
    if (!image) throw notFound('image')
    c.header('Location', views.imageUrl(id))
    for (const [name, value] of Object.entries(rateFields(rate))) c.header(name, value)
    return c.json(views.image(image), image.state === 'processing' ? 202 : 200)
  })
}

/** What breaks with the connection is no fault of ours, and nobody hears of it. */
async function whole<T>({ stream, gone }: StreamedBody, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError && error.status < 500) throw error
    if (!gone.aborted && !stream.errored) throw error
    throw new AppError('body-incomplete', 400, 'The body ended before all of it had come.')
  }
}

/** @throws AppError `bad-header` (400) */
function readKey(c: Context<HttpEnvironment>): string | undefined {
  const key = c.req.header('Idempotency-Key')
  if (key === undefined || /^[ -~]{1,255}$/.test(key)) return key
  throw badHeader('Idempotency-Key has to be 1 to 255 printable ASCII characters.')
}

/** Fields are bytes; those of a name are taken for UTF-8, as clients send them. */
function dispositionName(c: Context<HttpEnvironment>): string | undefined {
  const field = c.req.header('Content-Disposition')
  if (field === undefined) return undefined
  return parseDisposition(Buffer.from(field, 'latin1').toString('utf8')).parameters.filename
}
