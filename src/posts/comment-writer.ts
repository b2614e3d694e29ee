import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import { AppError } from '../errors.ts'
import { createWriteBatch, type WriteBatch } from './comment-batch.ts'
import { createOrderedIds } from './ordered-ids.ts'
import type { Comment } from './post.ts'

/** Comments in one transaction at most: none is kept waiting for long. */
const largestBatch = 500
/** After a batch of so many comments the next one is given a moment to gather. */
const manyComments = 8
const gatherMs = 6
/** Transactions at a time, where the database can have several. */
const mostBatches = 4

export type NewComment = Pick<Comment, 'postId' | 'owner' | 'text'>

interface Entry {
  readonly comment: NewComment
  readonly resolve: (comment: Comment) => void
  readonly reject: (error: unknown) => void
}

/**
 * Comments that come at the same time are written in one transaction, and a post that many of them are
 * about is counted up once. Whoever wrote one is told when it is durable. When the transaction fails,
 * none of its comments was written and all who wrote them are told why.
 */
export class CommentWriter {
  readonly #database: Database
  readonly #write: WriteBatch
  readonly #newId = createOrderedIds()
  readonly #mostBatches: number
  #waiting: Entry[] = []
  #batches = 0

  constructor(database: Database) {
    this.#database = database
    this.#write = createWriteBatch(database)
    this.#mostBatches = database.kind === 'sqlite' ? 1 : mostBatches
  }

  /**
   * Ids are in the order of the calls.
   * @throws AppError `post-not-found` (404) for this comment alone.
   */
  write(comment: NewComment): Promise<Comment> {
    const { promise, resolve, reject } = Promise.withResolvers<Comment>()
    this.#waiting.push({ comment, resolve, reject })
    if (this.#batches < this.#mostBatches) void this.#run()
    return promise
  }

  async #run(): Promise<void> {
    this.#batches += 1
    // Whatever else arrives by then takes part.
    await turn()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, largestBatch)
      await this.#commit(batch)
      // Where many come, more are on their way: a commit is the cheaper for each the more it has.
      if (batch.length >= manyComments) await delay(gatherMs)
    }
    this.#batches -= 1
  }

  async #commit(entries: readonly Entry[]): Promise<void> {
    const createdAt = Date.now()
    const batch = entries.map((entry) => ({
      entry,
      comment: { id: this.#newId(), ...entry.comment, createdAt },
    }))
    try {
      const comments = batch.map(({ comment }) => comment)
      const known = await this.#database.transaction((trx) => this.#write(trx, comments))
      for (const { entry, comment } of batch) {
        if (known.has(comment.postId)) entry.resolve(comment)
        else entry.reject(postNotFound())
      }
    } catch (error) {
      for (const { reject } of entries) reject(error)
    }
  }
}

function postNotFound(): AppError {
  return new AppError('post-not-found', 404, 'There is no such post.')
}
