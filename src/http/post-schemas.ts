/** What posts and comments look like, on their way in and out. */
import { z } from '@hono/zod-openapi'
import { failureSchema, id, imageStateSchema, pixels, renditionSchema, time } from './schemas.ts'

/** Characters as Unicode counts them: an emoji is at least one, and not two. */
const mostCharacters = 2_200

/** Kept as it is: nothing is cut off or put in another form. */
function text(fewest: number) {
  return z
    .string()
    .refine((given) => fits(given, fewest), `not of ${fewest} to ${mostCharacters} characters`)
    .refine(isText, 'holds a NUL or half a character')
    .openapi({ minLength: fewest, maxLength: mostCharacters })
}

function fits(given: string, fewest: number): boolean {
  // Of so many units no text is short enough, and they need not be counted.
  if (given.length > 2 * mostCharacters) return false
  const { length } = Array.from(given)
  return length >= fewest && length <= mostCharacters
}

/** JSON may carry both, and PostgreSQL can keep neither. */
function isText(given: string): boolean {
  return given.isWellFormed() && !given.includes('\0')
}

export const newPostSchema = z.object({ imageId: id, caption: text(0) }).openapi('NewPost')

export const newCommentSchema = z.object({ text: text(1) }).openapi('NewComment')

const authorSchema = z
  .object({
    id: z.string(),
    avatarUrl: z.string().openapi({ description: '404 while there is no picture.' }),
  })
  .openapi('Author')

export const commentSchema = z
  .object({ id, postId: id, author: authorSchema, text: z.string(), createdAt: time })
  .openapi('Comment')

const postImageSchema = z
  .object({
    id,
    state: imageStateSchema,
    error: failureSchema.optional(),
    width: pixels.nullable(),
    height: pixels.nullable(),
    thumbhash: z.string().nullable().openapi({ description: 'ThumbHash, base64.' }),
    color: z.string().nullable().openapi({ description: 'Dominant colour.', example: '#7a8b99' }),
    renditions: z.array(renditionSchema),
  })
  .openapi('PostImage')

export const postSchema = z
  .object({
    id,
    author: authorSchema,
    caption: z.string(),
    image: postImageSchema,
    commentCount: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
    comments: z.array(commentSchema).openapi({ description: 'The latest, latest first.' }),
    createdAt: time,
  })
  .openapi('Post')

export const commentsQuery = z.object({
  comments: z.coerce
    .number()
    .int()
    .min(0)
    .max(10)
    .default(2)
    .openapi({
      // Said, as null would be taken for 0 and so for something that may be sent.
      ...{ type: 'integer', minimum: 0, maximum: 10, default: 2 },
      description: 'How many of the latest comments to show with each post.',
    }),
})

export const postOrderSchema = z.enum(['newest', 'comments'])
