import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import { removeSome } from './comment-records.ts'

/** Comments that are removed in one transaction. */
const batchSize = 1_000

/** Takes posts away at once, and their comments by a job each. Returns whether there was any. */
type Remove = (queue: JobQueue, trx: Transaction<Schema>, id: string) => Promise<boolean>

export const removePost: Remove = async (queue, trx, id) => {
  const gone = await trx
    .deleteFrom('posts')
    .where('id', '=', id)
    .returning('comment_count')
    .executeTakeFirst()
  if (!gone) return false
  // The count is exact, and nobody can add to it any more.
  if (gone.comment_count > 0) await queue.enqueue(trx, 'comments.remove', { postId: id })
  await appendEvent(trx, 'post.removed', id, {})
  return true
}

/**
 * The posts that show an image, for the transaction that removes it and has locked it. One that is
 * about to be created then waits, and finds no image.
 */
export const removePostsOf: Remove = async (queue, trx, imageId) => {
  const posts = await trx
    .selectFrom('posts')
    .select('id')
    .where('image_id', '=', imageId)
    .orderBy('id')
    // In this order comments lock them, too.
    .$if(isShared(trx), (query) => query.forUpdate())
    .execute()
  for (const { id } of posts) await removePost(queue, trx, id)
  return posts.length > 0
}

/** Removes the comments of a post that is gone. */
export function removeCommentsHandler(database: Database): JobHandler<'comments.remove'> {
  return {
    kind: 'comments.remove',
    async run({ postId }, { signal }) {
      let removed: number
      do {
        signal.throwIfAborted()
        removed = await database.transaction((trx) => removeSome(trx, postId, batchSize))
      } while (removed === batchSize)
    },
  }
}
