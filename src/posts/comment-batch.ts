/** What a batch of comments is written with: a few statements, however many comments they are. */
import { sql } from 'kysely'
import type { Database, Queries, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { type Statement, statement } from '../database/statement.ts'
import type { Comment } from './post.ts'

/** Writes comments on posts that may be gone; returns the ids of those that are there. */
export type WriteBatch = (
  trx: Transaction<Schema>,
  comments: readonly Comment[],
) => Promise<ReadonlySet<string>>

interface Given {
  /** JSON, of which the database makes rows: so the text of a statement is always the same. */
  readonly json: string
}

interface Statements {
  /** Locks posts in the order of their ids, where others could do it in another order meanwhile. */
  readonly lock: Statement<Given, unknown> | undefined
  /** From `{postId: comments}`; returns the posts there are. */
  readonly count: Statement<Given, { readonly id: string }>
  /** From `[[id, postId, owner, text, createdAt]]`. */
  readonly insert: Statement<Given, unknown>
}

export function createWriteBatch({
  kind,
  queries,
}: Pick<Database, 'kind' | 'queries'>): WriteBatch {
  const { lock, count, insert } = statements[kind](queries)
  return async (trx, comments) => {
    const counts = new Map<string, number>()
    for (const { postId } of comments) counts.set(postId, (counts.get(postId) ?? 0) + 1)
    const json = JSON.stringify(Object.fromEntries(counts))
    await lock?.({ json }, trx)
    const known = new Set((await count({ json }, trx)).map(({ id }) => id))
    const rows = comments.flatMap(({ id, postId, owner, text, createdAt }) =>
      known.has(postId) ? [[id, postId, owner, text, createdAt]] : [],
    )
    if (rows.length > 0) await insert({ json: JSON.stringify(rows) }, trx)
    return known
  }
}

const statements: Record<Database['kind'], (queries: Queries) => Statements> = {
  sqlite: (queries) => ({
    lock: undefined,
    count: statement(
      queries,
      (at) => sql<{ id: string }>`
      update posts set comment_count = comment_count + said.value, revision = revision + 1
      from json_each(${at('json')}) as said where posts.id = said.key returning posts.id`,
    ),
    insert: statement(
      queries,
      (at) => sql`
      insert into comments (id, post_id, owner, text, created_at)
      select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
      from json_each(${at('json')})`,
    ),
  }),
  postgres: (queries) => ({
    lock: statement(
      queries,
      (at) => sql`
      select id from posts where id = any(array(select json_object_keys(${at('json')}::json)))
      order by id for update`,
    ),
    count: statement(
      queries,
      (at) => sql<{ id: string }>`
      update posts
      set comment_count = comment_count + (${at('json')}::jsonb ->> id)::integer,
        revision = revision + 1
      where id = any(array(select json_object_keys(${at('json')}::json))) returning id`,
    ),
    insert: statement(
      queries,
      (at) => sql`
      insert into comments (id, post_id, owner, text, created_at)
      select value ->> 0, value ->> 1, value ->> 2, value ->> 3, (value ->> 4)::bigint
      from json_array_elements(${at('json')}::json)`,
    ),
  }),
}
