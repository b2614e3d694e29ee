/**
 * A page of posts is one statement: the posts by an index of their order, and for each of them its
 * image, the renditions of that and the latest comments, by the indexes of those. So it costs what
 * the page holds, however many posts and comments there are.
 */
import { type RawBuilder, sql } from 'kysely'
import type { Database, Queries } from '../database/database.ts'
import { type Statement, statement } from '../database/statement.ts'
import type { Post, PostOrder, PostPosition } from './post.ts'
import { createPostReader, type PostRow } from './post-rows.ts'

export interface ListPosts {
  readonly order: PostOrder
  readonly limit: number
  /** Only posts after this one. */
  readonly after?: PostPosition | undefined
  /** How many comments to have of each. */
  readonly comments: number
}

export interface PostQueries {
  list(options: ListPosts): Promise<Post[]>
  /** @param comments how many to have of it. */
  find(id: string, comments: number, on?: Queries): Promise<Post | undefined>
}

export function createPostQueries(database: Pick<Database, 'kind' | 'queries'>): PostQueries {
  const statements = postStatements(database)
  const read = createPostReader()
  return {
    async list({ order, limit, after, comments }) {
      const { first, next } = statements[order]
      const rows = after
        ? await next({ limit, comments, id: after.id, count: after.commentCount })
        : await first({ limit, comments })
      return rows.map(read)
    },
    async find(id, comments, on) {
      const [row] = await statements.one({ id, comments }, on)
      return row && read(row)
    },
  }
}

interface First {
  readonly limit: number
  readonly comments: number
}

interface Next extends First {
  readonly id: string
  readonly count: number
}

interface Pages {
  readonly first: Statement<First, PostRow>
  readonly next: Statement<Next, PostRow>
}

/** Exported for the test that looks at their plans. */
export function postStatements({ kind, queries }: Pick<Database, 'kind' | 'queries'>): Record<
  PostOrder,
  Pages
> & {
  readonly one: Statement<Pick<Next, 'id' | 'comments'>, PostRow>
} {
  const posts = postsWith(dialects[kind])
  const newest = sql`order by post.id desc`
  const byComments = sql`order by post.comment_count desc, post.id desc`
  return {
    newest: {
      first: statement(
        queries,
        (at) => sql`
        ${posts(at('comments'))} ${newest} limit ${at('limit')}`,
      ),
      next: statement(
        queries,
        (at) => sql`
        ${posts(at('comments'))} where post.id < ${at('id')} ${newest} limit ${at('limit')}`,
      ),
    },
    comments: {
      first: statement(
        queries,
        (at) => sql`
        ${posts(at('comments'))} ${byComments} limit ${at('limit')}`,
      ),
      next: statement(
        queries,
        (at) => sql`
        ${posts(at('comments'))}
        where (post.comment_count, post.id) < (${at('count')}, ${at('id')})
        ${byComments} limit ${at('limit')}`,
      ),
    },
    one: statement(queries, (at) => sql`${posts(at('comments'))} where post.id = ${at('id')}`),
  }
}

/** What the databases have different names for. */
interface Json {
  /** JSON as text, from rows of an expression. */
  readonly list: (of: RawBuilder<unknown>) => RawBuilder<string>
  readonly array: RawBuilder<unknown>
}

const dialects: Record<Database['kind'], Json> = {
  sqlite: { list: (of) => sql`json_group_array(${of})`, array: sql`json_array` },
  postgres: {
    list: (of) => sql`coalesce(json_agg(${of}), '[]')::text`,
    array: sql`json_build_array`,
  },
}

function postsWith({ list, array }: Json) {
  const text = (json: RawBuilder<unknown>) => sql`cast(${json} as text)`
  const image = text(
    sql`${array}(state, error_code, error_message, width, height, thumbhash, color)`,
  )
  const rendition = sql`${array}(preset, format, width, height, size, frames, revision)`
  const comment = sql`${array}(id, owner, text, created_at)`
  return (comments: unknown) => sql<PostRow>`
    select post.id, post.owner, post.caption, post.comment_count, post.created_at, post.image_id,
      (select ${image} from images where images.id = post.image_id) as image,
      (select ${list(rendition)} from renditions
        where renditions.image_id = post.image_id) as renditions,
      (select ${list(comment)} from (
        select id, owner, text, created_at from comments
        where comments.post_id = post.id order by comments.id desc limit ${comments}
      ) as latest) as comments
    from posts as post`
}
