import { sql } from 'kysely'
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { CommentsTable, Schema } from '../database/schema.ts'
import type { Comment } from './post.ts'

export interface ListComments {
  readonly postId: string
  readonly limit: number
  /** Only comments from before the one with this id. */
  readonly before?: string | undefined
}

/** Latest first; undefined when there is no such post. */
export async function listComments(
  queries: Queries,
  options: ListComments,
): Promise<Comment[] | undefined> {
  const rows = await commentsQuery(queries, options).execute()
  const isKnown = rows.length > 0 || (await hasPost(queries, options.postId))
  return isKnown ? rows.map(toComment) : undefined
}

/** Exported for the test that looks at its plan. */
export function commentsQuery(queries: Queries, { postId, limit, before }: ListComments) {
  let query = queries
    .selectFrom('comments')
    .selectAll()
    .where('post_id', '=', postId)
    // Those of a post that is gone are gone with it, though their rows go later.
    .where(({ exists, selectFrom }) =>
      exists(selectFrom('posts').select(sql`1`.as('one')).where('posts.id', '=', postId)),
    )
  if (before) query = query.where('id', '<', before)
  return query.orderBy('id', 'desc').limit(limit)
}

async function hasPost(queries: Queries, id: string): Promise<boolean> {
  const found = await queries.selectFrom('posts').select('id').where('id', '=', id).execute()
  return found.length > 0
}

/** A comment of a post that is there. */
export async function findComment(queries: Queries, id: string): Promise<Comment | undefined> {
  const row = await queries
    .selectFrom('comments')
    .innerJoin('posts', 'posts.id', 'comments.post_id')
    .selectAll('comments')
    .where('comments.id', '=', id)
    .executeTakeFirst()
  return row && toComment(row)
}

/**
 * Removes a comment and counts it no more, in one transaction. Returns false when it is gone, alone or
 * with its post.
 *
 * The comment is locked before its post, of which nobody waits for a comment that is there: those who
 * write comments lock posts alone, and those who remove posts leave the comments to a job.
 */
export function removeComment(database: Database, id: string): Promise<boolean> {
  return database.transaction(async (trx) => {
    const gone = await trx
      .deleteFrom('comments')
      .where('id', '=', id)
      .returning('post_id')
      .executeTakeFirst()
    if (!gone) return false
    const { numUpdatedRows } = await trx
      .updateTable('posts')
      .set(({ eb }) => ({
        comment_count: eb('comment_count', '-', 1),
        revision: eb('revision', '+', 1),
      }))
      .where('id', '=', gone.post_id)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  })
}

/** Removes some comments of a post that is gone. Returns how many. */
export async function removeSome(
  trx: Transaction<Schema>,
  postId: string,
  most: number,
): Promise<number> {
  const { numDeletedRows } = await trx
    .deleteFrom('comments')
    .where('id', 'in', ({ selectFrom }) =>
      selectFrom('comments').select('id').where('post_id', '=', postId).orderBy('id').limit(most),
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}

function toComment(row: CommentsTable): Comment {
  return {
    id: row.id,
    postId: row.post_id,
    owner: row.owner,
    text: row.text,
    createdAt: row.created_at,
  }
}
