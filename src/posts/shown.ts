import { sql } from 'kysely'
import type { Queries } from '../database/database.ts'

/**
 * Whether an image is in a post, which every user may see. One look into an index, in the order of
 * which it is asked: in any order PostgreSQL may hope to come across one of many posts in the table.
 */
export async function isPosted(queries: Queries, imageId: string): Promise<boolean> {
  const post = await queries
    .selectFrom('posts')
    .select(sql`1`.as('one'))
    .where('image_id', '=', imageId)
    .orderBy('owner')
    .limit(1)
    .executeTakeFirst()
  return post !== undefined
}
