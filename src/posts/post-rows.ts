/** What the queries for posts answer with, read and checked. */
import { z } from 'zod'
import type { Comment, Post, PostImage } from './post.ts'

/** A post as one row: what belongs to it is JSON, of arrays in the order of the schemas below. */
export interface PostRow {
  readonly id: string
  readonly owner: string
  readonly caption: string
  readonly comment_count: number
  readonly created_at: number
  readonly image_id: string
  readonly revision: number
  readonly image_revision: number
  readonly image: string
  readonly renditions: string
  readonly comments: string
}

const imageColumns = z.tuple([
  z.enum(['processing', 'ready', 'failed']),
  z.string().nullable(),
  z.string().nullable(),
  z.number().nullable(),
  z.number().nullable(),
  z.string().nullable(),
  z.string().nullable(),
])

const number = z.number()
const renditionColumns = z.array(
  z.tuple([z.string(), z.string(), number, number, number, number, number]),
)

const mostCharacters = 8_192

/**
 * Whether a post is too much to be remembered: people decide how much there is of it, and ten long
 * comments are 90 kB, twice.
 */
export function isLong({ caption, image, renditions, comments }: PostRow): boolean {
  return caption.length + image.length + renditions.length + comments.length > mostCharacters
}

/** @throws ZodError, TypeError for what no query of ours answers with. */
export function readPost(row: PostRow): Post {
  return {
    id: row.id,
    owner: row.owner,
    caption: row.caption,
    image: readImage(row),
    commentCount: row.comment_count,
    comments: readComments(row),
    createdAt: row.created_at,
  }
}

function readImage({ image_id: id, image, renditions }: PostRow): PostImage {
  const [state, code, message, width, height, thumbhash, color] = imageColumns.parse(
    JSON.parse(image),
  )
  return {
    id,
    state,
    error: code === null ? undefined : { code, message: message ?? '' },
    width: width ?? undefined,
    height: height ?? undefined,
    thumbhash: thumbhash ?? undefined,
    color: color ?? undefined,
    renditions: readRenditions(renditions),
  }
}

/** In the order in which an image shows them. */
function readRenditions(text: string): PostImage['renditions'] {
  return renditionColumns
    .parse(JSON.parse(text))
    .map(([preset, format, width, height, size, frames, revision]) => ({
      ...{ preset, format, width, height, size, frames, revision },
    }))
    .sort((a, b) => a.width - b.width || compare(a.preset, b.preset) || compare(a.format, b.format))
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function readComments({ id: postId, comments }: PostRow): Comment[] {
  const rows: unknown = JSON.parse(comments)
  if (!Array.isArray(rows)) throw new TypeError('comments are a list')
  return rows.map((row: unknown) => readComment(postId, row))
}

/** By hand, as this is done for every comment of every page. */
function readComment(postId: string, row: unknown): Comment {
  const [id, owner, text, createdAt]: unknown[] = Array.isArray(row) ? row : []
  if (typeof id !== 'string' || typeof owner !== 'string') throw new TypeError('not a comment')
  if (typeof text !== 'string' || typeof createdAt !== 'number')
    throw new TypeError('not a comment')
  return { id, postId, owner, text, createdAt }
}
