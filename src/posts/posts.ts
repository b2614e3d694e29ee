import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { AppError, hasCode } from '../errors.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import { findComment, type ListComments, listComments, removeComment } from './comment-records.ts'
import { CommentWriter, type NewComment } from './comment-writer.ts'
import { createOrderedIds } from './ordered-ids.ts'
import type { Comment, Post } from './post.ts'
import { createPostQueries, type ListPosts } from './post-queries.ts'
import { removePost } from './removal.ts'

export interface NewPost {
  readonly owner: string
  readonly imageId: string
  readonly caption: string
}

/** What people show each other, and what they say about it. Who may do it is asked elsewhere. */
export interface Posts {
  /** @throws AppError `image-not-found` (404) when the owner has no such image. */
  create(post: NewPost): Promise<Post>
  /** A post with so many of its latest comments. */
  find(id: string, comments: number): Promise<Post | undefined>
  /**
   * A page of posts. Those that come or go between two pages move none of the newest; by comments, a
   * post that gets one meanwhile may be met on both pages or on neither.
   */
  list(options: ListPosts): Promise<Post[]>
  /** Returns false when there is none. */
  remove(id: string): Promise<boolean>
  readonly comments: {
    /** @throws AppError `post-not-found` (404). */
    add(comment: NewComment): Promise<Comment>
    find(id: string): Promise<Comment | undefined>
    /** Latest first; undefined when there is no such post. */
    list(options: ListComments): Promise<Comment[] | undefined>
    /** Returns false when there is none. */
    remove(id: string): Promise<boolean>
  }
}

export interface PostsDependencies {
  readonly database: Database
  readonly queue: JobQueue
}

export function createPosts({ database, queue }: PostsDependencies): Posts {
  const { find, list } = createPostQueries(database)
  const writer = new CommentWriter(database)
  const newId = createOrderedIds()
  return {
    find: (id, comments) => find(id, comments),
    list,
    create: (given) =>
      database.transaction(async (trx) => {
        const id = newId()
        const post = (await insertPost(trx, id, given)) && (await find(id, 0, trx))
        if (!post) throw imageNotFound()
        await appendEvent(trx, 'post.created', id, { imageId: given.imageId })
        return post
      }),
    async remove(id) {
      const removed = await database.transaction((trx) => removePost(queue, trx, id))
      if (removed) queue.wake('comments.remove')
      return removed
    },
    comments: {
      add: (comment) => writer.write(comment),
      find: (id) => findComment(database.queries, id),
      list: (options) => listComments(database.queries, options),
      remove: (id) => removeComment(database, id),
    },
  }
}

/** Returns whether it could be: not without the image, which stays until the transaction ends. */
async function insertPost(
  trx: Transaction<Schema>,
  id: string,
  { owner, imageId, caption }: NewPost,
): Promise<boolean> {
  try {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('posts')
      .columns(['id', 'owner', 'image_id', 'caption', 'created_at'])
      .expression(({ selectFrom, val }) =>
        selectFrom('images')
          .select([val(id).as('id'), 'owner', 'images.id as image_id'])
          .select([val(caption).as('caption'), val(Date.now()).as('created_at')])
          .where('images.id', '=', imageId)
          .where('owner', '=', owner),
      )
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  } catch (error) {
    // PostgreSQL: the image was seen and then removed by another transaction.
    if (hasCode(error, foreignKeyViolation)) throw imageNotFound()
    throw error
  }
}

const foreignKeyViolation = '23503'

function imageNotFound(): AppError {
  return new AppError('image-not-found', 404, 'There is no such image.')
}
