/** What the API answers with. The same schemas describe it in the OpenAPI document. */
import { z } from '@hono/zod-openapi'
import { loadSchema } from './job-schemas.ts'

export const id = z.uuid().openapi({ example: '019a9f1e-6d2c-7000-8000-3f6c1b2a4d5e' })
export const time = z.iso.datetime()
const bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const count = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
export const pixels = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)

export const failureSchema = z
  .object({ code: z.string(), message: z.string() })
  .openapi('Failure', { description: 'A stable code, and what to tell a person.' })

export const renditionSchema = z
  .object({
    preset: z.string(),
    format: z.string(),
    width: pixels,
    height: pixels,
    size: bytes,
    frames: z
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .openapi({ description: '1 for a still.' }),
    url: z.string().openapi({ description: 'Another one once the rendition was made anew.' }),
  })
  .openapi('Rendition')

const owners = 'Null for whom its owner has but shown the image.'

export const imageStateSchema = z.enum(['processing', 'ready', 'failed'])

export const imageSchema = z
  .object({
    id,
    state: imageStateSchema,
    error: failureSchema.optional(),
    filename: z
      .string()
      .nullable()
      .openapi({ description: `What its owner calls it. ${owners}` }),
    contentType: z.string().nullable(),
    format: z.string().nullable(),
    size: bytes,
    width: pixels.nullable(),
    height: pixels.nullable(),
    sha256: z
      .string()
      .nullable()
      .openapi({ description: `Of the original's bytes, in hex. ${owners}` }),
    thumbhash: z.string().nullable().openapi({ description: 'ThumbHash, base64.' }),
    color: z.string().nullable().openapi({ description: 'Dominant colour.', example: '#7a8b99' }),
    exif: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({
        description: `What the camera wrote, without places and serial numbers. ${owners}`,
      }),
    createdAt: time,
    contentUrl: z
      .string()
      .nullable()
      .openapi({ description: `The original. ${owners}` }),
    renditions: z.array(renditionSchema),
  })
  .openapi('Image')

export const uploadSchema = z
  .object({
    id,
    state: z.enum(['receiving', 'assembling', 'stored', 'failed', 'expired']),
    error: failureSchema.optional(),
    length: bytes.nullable().openapi({ description: 'Null while the client has not said.' }),
    offset: bytes.openapi({ description: 'Bytes that are safe.' }),
    filename: z.string().nullable(),
    contentType: z.string().nullable(),
    sha256: z.string().nullable(),
    createdAt: time,
    expiresAt: time.nullable().openapi({ description: 'When it is given up unless it goes on.' }),
    storedAt: time.nullable(),
    contentUrl: z.string().nullable().openapi({ description: 'Where the bytes are, once stored.' }),
    image: z
      .object({ state: imageStateSchema, error: failureSchema.optional() })
      .nullable()
      .openapi({ description: 'What became of it as an image; null until it is stored.' }),
  })
  .openapi('Upload')

export const linkWishSchema = z
  .object({
    filename: z.string().max(1_024).optional(),
    contentType: z
      .string()
      .max(255)
      .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/)
      .optional()
      .openapi({ example: 'image/jpeg' }),
    size: z
      .int()
      .min(1)
      .max(Number.MAX_SAFE_INTEGER)
      .openapi({ description: 'Bytes, exactly.', example: 3_141_592 }),
  })
  .openapi('UploadLinkWish')

export const uploadLinkSchema = z
  .object({
    id,
    method: z.literal('PUT'),
    url: z.string().openapi({ description: 'Where the bytes go, all in one request.' }),
    headers: z.record(z.string(), z.string()).openapi({ description: 'What to send along.' }),
    expiresAt: time.openapi({ description: 'Until then the request may be begun.' }),
    imageUrl: z.string().openapi({ description: 'The image, once the upload is complete.' }),
  })
  .openapi('UploadLink')

export const notReadySchema = z
  .object({ id, state: z.enum(['receiving', 'assembling', 'processing']) })
  .openapi('NotReady')

export const avatarSchema = z
  .object({
    userId: z.string(),
    imageId: id,
    url: z.string().openapi({ description: 'For everybody; the same one for every picture.' }),
  })
  .openapi('Avatar')

export const configSchema = z
  .object({
    uploadUrl: z.string(),
    maxUploadSize: bytes,
    accept: z
      .array(z.string())
      .nullable()
      .openapi({
        description: 'Media types that are taken; null: every one.',
        example: ['image/*'],
      }),
    userMaxBytes: bytes.nullable().openapi({ description: 'Null: no limit, as with the others.' }),
    userMaxUnfinished: count.nullable(),
    userUploadsPerMinute: count.nullable(),
    chunkSize: bytes.openapi({
      description: 'Bytes to send in one request: what proxies in between commonly let through.',
    }),
    retryDelays: z
      .array(z.int().min(0).max(86_400_000))
      .openapi({ description: 'Milliseconds between tries.' }),
    presets: z.array(
      z.object({
        name: z.string(),
        width: pixels.openapi({ description: '16383 where the preset leaves this side open.' }),
        height: pixels,
        formats: z.array(z.string()),
      }),
    ),
  })
  .openapi('Config')

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    checks: z.record(z.string(), z.string()),
    queue: loadSchema.nullable().optional().openapi({
      description: 'Jobs that are not done. Null when that could not be found out in time.',
    }),
  })
  .openapi('Health')

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}

export const idParameter = z.object({ id: id.openapi({ param: { name: 'id', in: 'path' } }) })

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(200).optional(),
})
