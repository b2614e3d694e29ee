import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { createPosts } from '../../src/posts/posts.ts'
import { removeCommentsHandler } from '../../src/posts/removal.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { never } from '../support/leases.ts'
import { countedComments, someImage } from '../support/posts.ts'
import { idleQueue, jobsOf } from '../support/uploads.ts'

describe.each(databaseTargets)('comments on $name', (target) => {
  let test: TestDatabase

  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  const postsOf = (database = test.database) => createPosts({ database, queue: idleQueue() })
  const newPost = async (posts = postsOf()) => {
    const imageId = await someImage(test.database)
    return (await posts.create({ owner: 'local', imageId, caption: '' })).id
  }
  const comment = (postId: string, text = 'x') => ({ postId, owner: 'bob', text })

  it('that come at the same time share transactions, and each is on the post it is about', async () => {
    const { database, transactions } = countTransactions(test.database)
    const posts = postsOf(database)
    const ids = [await newPost(), await newPost(), await newPost()]
    const texts = Array.from({ length: 300 }, (_, n) => `comment "${n}" é\u{1F600}\\`)
    const made = await Promise.all(
      texts.map((text, n) => posts.comments.add(comment(ids[n % 3] ?? '', text))),
    )
    expect(transactions()).toBeLessThan(10)
    expect(made.map(({ text }) => text)).toEqual(texts)
    for (const [n, postId] of ids.entries()) {
      const listed = await posts.comments.list({ postId, limit: 1_000 })
      expect(listed).toEqual(made.filter((_, at) => at % 3 === n).toReversed())
      expect(await posts.find(postId, 2)).toMatchObject({
        commentCount: 100,
        comments: listed?.slice(0, 2),
      })
    }
  })

  it('on a post that is gone fail alone', async () => {
    const posts = postsOf()
    const postId = await newPost()
    const outcomes = await Promise.allSettled([
      posts.comments.add(comment(postId, 'one')),
      posts.comments.add(comment(newId())),
      posts.comments.add(comment(postId, 'two')),
    ])
    expect(outcomes).toMatchObject([
      { value: { text: 'one' } },
      { reason: { code: 'post-not-found', status: 404 } },
      { value: { text: 'two' } },
    ])
    expect(await posts.find(postId, 0)).toMatchObject({ commentCount: 2 })
  })

  it('are told all when their transaction fails, and none of them was said', async () => {
    const broken = new Error('no room')
    let isBroken = true
    const database: Database = {
      ...test.database,
      transaction: (work) =>
        test.database.transaction(async (trx) => {
          const result = await work(trx)
          if (isBroken) throw broken
          return result
        }),
    }
    const postId = await newPost()
    const posts = postsOf(database)
    const said = [posts.comments.add(comment(postId)), posts.comments.add(comment(postId))]
    const failed = { status: 'rejected', reason: broken }
    expect(await Promise.allSettled(said)).toEqual([failed, failed])
    expect(await posts.find(postId, 2)).toMatchObject({ commentCount: 0, comments: [] })
    isBroken = false
    await posts.comments.add(comment(postId))
    expect(await posts.find(postId, 2)).toMatchObject({ commentCount: 1 })
  })

  it('are removed once, however often that is asked for at the same time', async () => {
    const posts = postsOf()
    const postId = await newPost()
    const { id } = await posts.comments.add(comment(postId))
    await posts.comments.add(comment(postId))
    const removed = await Promise.all(Array.from({ length: 8 }, () => posts.comments.remove(id)))
    expect(removed.filter(Boolean)).toHaveLength(1)
    expect(await posts.find(postId, 0)).toMatchObject({ commentCount: 1 })
  })

  it('of a post that is gone are removed by a job, some at a time', async () => {
    const posts = postsOf()
    const [postId, other, quiet] = [await newPost(), await newPost(), await newPost()]
    const texts = Array.from({ length: 2_001 }, () => posts.comments.add(comment(postId)))
    await Promise.all([...texts, posts.comments.add(comment(other))])
    for (const id of [postId, quiet]) expect(await posts.remove(id)).toBe(true)
    expect(await posts.remove(postId)).toBe(false)
    // One that nobody commented on leaves nothing to do.
    expect(await jobsOf(test.database)).toEqual([
      { kind: 'comments.remove', payload: { postIds: [postId] } },
    ])
    expect((await countedComments(test.database)).orphans).toBe(2_001)
    const { database, transactions } = countTransactions(test.database)
    const handler = removeCommentsHandler(database)
    const attempt = { jobId: 'job', number: 1, signal: never }
    for (let time = 0; time < 2; time += 1) await handler.run({ postIds: [postId] }, attempt)
    expect(transactions()).toBe(4)
    expect(await countedComments(test.database)).toMatchObject({
      ...{ orphans: 0, there: new Map([[other, 1]]) },
    })
    const gone = AbortSignal.abort(new Error('stopping'))
    await expect(handler.run({ postIds: [postId] }, { ...attempt, signal: gone })).rejects.toThrow(
      'stopping',
    )
  })

  it('are counted exactly, whatever people do at the same time', async () => {
    const acts = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(), fc.nat()), {
      ...{ minLength: 40, maxLength: 120 },
    })
    await fc.assert(
      fc.asyncProperty(acts, async (list) => {
        // As two processes do.
        const sides = [postsOf(), postsOf()]
        const ids = await Promise.all(Array.from({ length: 4 }, () => newPost()))
        const said: string[] = []
        for (const postId of ids) {
          for (let n = 0; n < 5; n += 1) {
            said.push((await postsOf().comments.add(comment(postId))).id)
          }
        }
        const outcomes = await Promise.allSettled(
          list.map(async ([kind, which, side]) => {
            const posts = sides[side % 2] ?? postsOf()
            const postId = ids[which % ids.length] ?? ''
            if (kind === 'say') await posts.comments.add(comment(postId))
            else if (kind === 'take back')
              await posts.comments.remove(said[which % said.length] ?? '')
            // Not all of them, or nothing would be left to count.
            else if (postId !== ids[0]) await posts.remove(postId)
          }),
        )
        const wrong = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
        for (const reason of wrong) expect(reason).toMatchObject({ code: 'post-not-found' })
        const { said: counted, there } = await countedComments(test.database)
        expect(counted).toEqual(there)
        expect(counted.has(ids[0] ?? '')).toBe(true)
      }),
      { numRuns: 12, seed: 1 },
    )
  })
})

const kinds = ['say', 'say', 'say', 'take back', 'take back', 'remove'] as const

function countTransactions(database: Database) {
  let count = 0
  const counted: Database = {
    ...database,
    transaction: (work) => {
      count += 1
      return database.transaction(work)
    },
  }
  return { database: counted, transactions: () => count }
}
