import type { Insertable } from 'kysely'
import type { Database } from '../../src/database/database.ts'
import type { ImagesTable } from '../../src/database/schema.ts'
import { newId } from '../../src/ids.ts'
import { imageOf } from './app.ts'
import { newUpload } from './uploads.ts'

/** The record of an image, of an upload of which there are no bytes. */
export async function someImage(
  database: Database,
  given: Partial<Insertable<ImagesTable>> = {},
): Promise<string> {
  const id = newId()
  const { expiresAt: _, filename, contentType, metadata: __, ...upload } = newUpload({ id })
  await database.queries
    .insertInto('uploads')
    .values({
      ...upload,
      ...{ owner: given.owner ?? 'local', filename, content_type: contentType, state: 'stored' },
      ...{ offset: 10, tail_size: 0, created_at: 0, updated_at: 0 },
    })
    .execute()
  await imageOf(database, id, given)
  return id
}

/** How many comments each post says that it has, and how many there are; and those of no post. */
export async function countedComments({ queries }: Database) {
  const posts = await queries.selectFrom('posts').select(['id', 'comment_count']).execute()
  const comments = await queries.selectFrom('comments').select('post_id').execute()
  const rows = Map.groupBy(comments, (comment) => comment.post_id)
  const said = new Map(posts.map((post) => [post.id, post.comment_count]))
  return {
    said,
    there: new Map(posts.map(({ id }) => [id, rows.get(id)?.length ?? 0])),
    orphans: comments.filter(({ post_id: id }) => !said.has(id)).length,
  }
}
