import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'
import { appendEvents } from '../events/outbox.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import { removeSome } from './comment-records.ts'

/** Comments that are removed in one transaction. */
const batchSize = 1_000

/** Posts that are removed by one statement, and their comments by one job. */
const postsAtOnce = 500

/** Takes posts away at once, and their comments by jobs. Returns whether there was any. */
type Remove = (queue: JobQueue, trx: Transaction<Schema>, id: string) => Promise<boolean>

export const removePost: Remove = (queue, trx, id) => removeThese(queue, trx, [id])

async function removeThese(
  queue: JobQueue,
  trx: Transaction<Schema>,
  ids: readonly string[],
): Promise<boolean> {
  const gone = await trx
    .deleteFrom('posts')
    .where('id', 'in', ids)
    .returning(['id', 'comment_count'])
    .execute()
  if (gone.length === 0) return false
  // The counts are exact, and nobody can add to them any more.
  const postIds = gone.filter((post) => post.comment_count > 0).map(({ id }) => id)
  if (postIds.length > 0) await queue.enqueue(trx, 'comments.remove', { postIds })
  const removed = gone.map(({ id }) => id)
  await appendEvents(trx, 'post.removed', removed, {})
  return true
}

/**
 * The posts that show an image, for the transaction that removes it and has locked it. One that is
 * about to be created then waits, and finds no image. Hundreds go by one statement, as on SQLite
 * nobody is served meanwhile.
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
  const ids = posts.map(({ id }) => id)
  for (let from = 0; from < ids.length; from += postsAtOnce) {
    await removeThese(queue, trx, ids.slice(from, from + postsAtOnce))
  }
  return ids.length > 0
}

/** Removes the comments of posts that are gone. */
export function removeCommentsHandler(database: Database): JobHandler<'comments.remove'> {
  return {
    kind: 'comments.remove',
    async run({ postIds }, { signal }) {
      for (const postId of postIds) {
        let removed: number
        do {
          signal.throwIfAborted()
          removed = await database.transaction((trx) => removeSome(trx, postId, batchSize))
        } while (removed === batchSize)
      }
    },
  }
}
