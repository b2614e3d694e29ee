/**
 * What a page of posts holds comes by two indexed statements, at most: which posts they are, by the
 * index of their order, and then everything about those of them that this process has not read since
 * they changed, with their images, the renditions of those and the latest comments. So a page costs
 * what it holds, however many posts and comments there are, and little where nothing has changed.
 */
import { type RawBuilder, sql } from 'kysely'
import type { Database, Queries } from '../database/database.ts'
import { type Statement, statement } from '../database/statement.ts'
import type { Post, PostOrder, PostPosition } from './post.ts'
import { type PostKey, PostMemo } from './post-memo.ts'
import { isLong, type PostRow, readPost } from './post-rows.ts'

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
  const memo = new PostMemo()

  async function readAll(ids: readonly string[], comments: number) {
    if (ids.length === 0) return new Map<string, Post>()
    const rows = await statements.some({ ids: JSON.stringify(ids), comments })
    return new Map(
      rows.map((row) => {
        const post = readPost(row)
        const { id, revision, image_revision: imageRevision } = row
        if (!isLong(row)) memo.set({ id, comments, revision, imageRevision }, post)
        return [id, post]
      }),
    )
  }

  return {
    async list({ order, limit, after, comments }) {
      const { first, next } = statements[order]
      const places = after
        ? await next({ limit, id: after.id, count: after.commentCount })
        : await first({ limit })
      const found = places.map((place) => memo.get(keyOf(place, comments)))
      const unknown = places.filter((_, index) => found[index] === undefined)
      const read = await readAll(
        unknown.map(({ id }) => id),
        comments,
      )
      // One that went in between is not there any more.
      return places.flatMap(({ id }, index) => found[index] ?? read.get(id) ?? [])
    },
    async find(id, comments, on) {
      const [row] = await statements.one({ id, comments }, on)
      return row && readPost(row)
    },
  }
}

/** Where a post stands in a list, and as of which changes. */
export interface PlaceRow {
  readonly id: string
  readonly revision: number
  readonly image_revision: number
}

function keyOf({ id, revision, image_revision }: PlaceRow, comments: number): PostKey {
  return { id, comments, revision, imageRevision: image_revision }
}

interface First {
  readonly limit: number
}

interface Next extends First {
  readonly id: string
  readonly count: number
}

interface Pages {
  readonly first: Statement<First, PlaceRow>
  readonly next: Statement<Next, PlaceRow>
}

interface Some {
  /** A JSON array. */
  readonly ids: string
  /** How many of the latest to have of each. */
  readonly comments: number
}

interface One {
  readonly id: string
  readonly comments: number
}

type PostStatements = Record<PostOrder, Pages> & {
  readonly some: Statement<Some, PostRow>
  readonly one: Statement<One, PostRow>
}

function postStatements({ kind, queries }: Pick<Database, 'kind' | 'queries'>): PostStatements {
  const places = sql`
    select post.id, post.revision, ${ofImage(sql`images.revision`)} as image_revision
    from posts as post`
  const newest = sql`order by post.id desc`
  const byComments = sql`order by post.comment_count desc, post.id desc`
  const { isAmong } = dialects[kind]
  return {
    newest: {
      first: statement(queries, (at) => sql`${places} ${newest} limit ${at('limit')}`),
      next: statement(
        queries,
        (at) => sql`${places} where post.id < ${at('id')} ${newest} limit ${at('limit')}`,
      ),
    },
    comments: {
      first: statement(queries, (at) => sql`${places} ${byComments} limit ${at('limit')}`),
      next: statement(
        queries,
        (at) => sql`
        ${places} where (post.comment_count, post.id) < (${at('count')}, ${at('id')})
        ${byComments} limit ${at('limit')}`,
      ),
    },
    some: statement(
      queries,
      (at) => sql`${postsWith(dialects[kind], at('comments'))} where ${isAmong(at('ids'))}`,
    ),
    one: statement(
      queries,
      (at) => sql`${postsWith(dialects[kind], at('comments'))} where post.id = ${at('id')}`,
    ),
  }
}

/** What the databases have different names for. */
interface Json {
  /** JSON as text, from rows of an expression. */
  readonly list: (of: RawBuilder<unknown>) => RawBuilder<string>
  readonly array: RawBuilder<unknown>
  /** Whether a post is one of those in a JSON array. */
  readonly isAmong: (ids: unknown) => RawBuilder<unknown>
}

const dialects: Record<Database['kind'], Json> = {
  sqlite: {
    list: (of) => sql`json_group_array(${of})`,
    array: sql`json_array`,
    isAmong: (ids) => sql`post.id in (select value from json_each(${ids}))`,
  },
  postgres: {
    list: (of) => sql`coalesce(json_agg(${of}), '[]')::text`,
    array: sql`json_build_array`,
    isAmong: (ids) => sql`post.id = any(array(select json_array_elements_text(${ids}::json)))`,
  },
}

function postsWith({ list, array }: Json, comments: unknown) {
  const text = (json: RawBuilder<unknown>) => sql`cast(${json} as text)`
  const image = text(
    sql`${array}(state, error_code, error_message, width, height, thumbhash, color)`,
  )
  const rendition = sql`${array}(preset, format, width, height, size, frames, revision)`
  const comment = sql`${array}(id, owner, text, created_at)`
  return sql<PostRow>`
    select post.id, post.owner, post.caption, post.comment_count, post.created_at, post.image_id,
      post.revision, ${ofImage(sql`images.revision`)} as image_revision,
      ${ofImage(image)} as image,
      (select ${list(rendition)} from renditions
        where renditions.image_id = post.image_id) as renditions,
      (select ${list(comment)} from (
        select id, owner, text, created_at from comments
        where comments.post_id = post.id order by comments.id desc limit ${comments}
      ) as latest) as comments
    from posts as post`
}

/** Not by a join, for which PostgreSQL may read all images when there are few. */
function ofImage(what: RawBuilder<unknown>) {
  return sql`(select ${what} from images where images.id = post.image_id)`
}
