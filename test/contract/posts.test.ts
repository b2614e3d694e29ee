import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { createPosts } from '../../src/posts/posts.ts'
import { removePostsOf } from '../../src/posts/removal.ts'
import type { UploadListener } from '../../src/uploads/listener.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { countedComments, someImage } from '../support/posts.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { idleQueue, jobsOf, uploadCore } from '../support/uploads.ts'

describe.each(databaseTargets)('posts on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  const postsOf = () => createPosts({ database: test.database, queue: idleQueue() })
  const newPost = (imageId: string) =>
    postsOf()
      .create({ owner: 'local', imageId, caption: '' })
      .then(({ id }) => id)
  const say = (postId: string) => postsOf().comments.add({ postId, owner: 'bob', text: 'x' })
  /** What removes images, as the program has it. */
  const removal = () => {
    const queue = idleQueue()
    const { listener } = uploadCore({ database: test.database, storage: disk.storage, queue })
    const withPosts: UploadListener = {
      ...listener,
      async removing(trx, id) {
        const keys = await listener.removing(trx, id)
        await removePostsOf(queue, trx, id)
        return keys
      },
    }
    const core = { database: test.database, storage: disk.storage, queue, listener: withPosts }
    return uploadCore(core).remove
  }
  const eventsOf = async (subject: string) => {
    const { queries } = test.database
    const rows = await queries
      .selectFrom('events')
      .selectAll()
      .where('subject', '=', subject)
      .orderBy('position')
      .execute()
    return rows.map(({ type, payload }) => [type, JSON.parse(payload) as unknown])
  }

  it('go with their image at once, and leave their comments to jobs', async () => {
    const [imageId, other] = [await someImage(test.database), await someImage(test.database)]
    const [one, two, left] = [await newPost(imageId), await newPost(imageId), await newPost(other)]
    for (const id of [one, left]) await say(id)
    expect(await removal()(imageId)).toBe(true)
    for (const id of [one, two]) expect(await postsOf().find(id, 0)).toBeUndefined()
    expect(await postsOf().find(left, 1)).toMatchObject({ commentCount: 1 })
    const removals = (await jobsOf(test.database)).filter(({ kind }) => kind === 'comments.remove')
    expect(removals).toEqual([{ kind: 'comments.remove', payload: { postIds: [one] } }])
    expect(await eventsOf(one)).toEqual([
      ['post.created', { imageId }],
      ['post.removed', {}],
    ])
  })

  it('go with their image by a few statements, however many they are', async () => {
    const imageId = await someImage(test.database)
    const { queries } = test.database
    const ids = Array.from({ length: 1_201 }, newId)
    const given = { owner: 'local', image_id: imageId, caption: '', created_at: 0 }
    const rows = ids.map((id, n) => ({ id, ...given, comment_count: n % 2 }))
    await queries.insertInto('posts').values(rows).execute()
    const queue = idleQueue()
    const statements = await test.database.transaction(async (trx) => {
      let count = 0
      const executor = trx.getExecutor()
      const execute = executor.executeQuery.bind(executor)
      executor.executeQuery = (...given) => {
        count += 1
        return execute(...given)
      }
      expect(await removePostsOf(queue, trx, imageId)).toBe(true)
      executor.executeQuery = execute
      return count
    })
    expect(statements).toBeLessThan(20)
    expect(await queries.selectFrom('posts').selectAll().execute()).toEqual([])
    const removed = await queries.selectFrom('events').select(['subject', 'type']).execute()
    expect(removed.map(({ subject }) => subject).toSorted()).toEqual(ids.toSorted())
    const commented = rows.filter((row) => row.comment_count > 0).map(({ id }) => id)
    const jobs = (await jobsOf(test.database)) as { payload: { postIds: string[] } }[]
    expect(jobs.flatMap(({ payload }) => payload.postIds).toSorted()).toEqual(commented.toSorted())
  })

  it('are made with an image that is being removed, or find none, and never are left over', async () => {
    for (let round = 0; round < 15; round += 1) {
      const imageId = await someImage(test.database)
      const remove = removal()
      const making = Array.from({ length: 6 }, async () => {
        await say(await newPost(imageId))
      })
      const outcomes = await Promise.allSettled([...making, remove(imageId)])
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue
        // The post may be gone again before anything is said about it.
        expect(outcome.reason).toMatchObject({ status: 404 })
      }
    }
    const { said } = await countedComments(test.database)
    expect([...said]).toEqual([])
  })

  it.runIf(target.name === 'postgres')(
    'wait for who removes their image, and then find none',
    async () => {
      const imageId = await someImage(test.database)
      const { queries } = test.database
      const removed = await test.database.transaction(async (trx) => {
        await sql`select id from images where id = ${imageId} for update`.execute(trx)
        const made = newPost(imageId).catch((error: unknown) => error)
        await expect
          .poll(async () => {
            const waiting = await sql`select 1 from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`.execute(queries)
            return waiting.rows.length
          })
          .toBe(1)
        await trx.deleteFrom('uploads').where('id', '=', imageId).execute()
        return { made }
      })
      expect(await removed.made).toMatchObject({ code: 'image-not-found', status: 404 })
    },
  )

  it('are not there twice or half when they cannot be made', async () => {
    await expect(newPost(newId())).rejects.toMatchObject({ code: 'image-not-found' })
    expect(await test.database.queries.selectFrom('events').selectAll().execute()).toEqual([])
  })
})
