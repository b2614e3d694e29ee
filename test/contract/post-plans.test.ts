import { type CompiledQuery, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database, Queries } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { listImages } from '../../src/images/records.ts'
import { commentsQuery, removeSome } from '../../src/posts/comment-records.ts'
import { createPosts } from '../../src/posts/posts.ts'
import { isPosted } from '../../src/posts/shown.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { countedComments, someImage } from '../support/posts.ts'
import { idleQueue } from '../support/uploads.ts'

const postCount = 600
const commentsEach = 20

describe.each(databaseTargets)('posts in $name that has many of them', (target) => {
  let test: TestDatabase
  let ids: string[]

  beforeAll(async () => {
    test = await target.create()
    ids = await fill(test.database)
  })
  afterAll(() => test.cleanup())

  const page = { limit: 21, comments: 2 }
  const middle = () => ids[postCount / 2] ?? ''

  it.each([
    ['the first page of the newest', () => ({ order: 'newest' as const })],
    ['a later page of the newest', () => ({ order: 'newest' as const, after: position(middle()) })],
    ['the first page by comments', () => ({ order: 'comments' as const })],
    ['a later page by comments', () => ({ order: 'comments' as const, after: position(middle()) })],
  ])('are listed by indexes alone, in two statements and then in one: %s', async (_, options) => {
    const { list } = createPosts({ database: test.database, queue: idleQueue() })
    const statements = await statementsOf(test.database.queries, async () => {
      const found = await list({ ...page, ...options() })
      expect(found).toHaveLength(21)
      expect(found[0]?.comments).toHaveLength(2)
      expect(await list({ ...page, ...options() })).toEqual(found)
    })
    expect(statements).toHaveLength(3)
    await expectByIndexes(test.database, statements)
  })

  it('are found by indexes alone, with their comments', async () => {
    const posts = createPosts({ database: test.database, queue: idleQueue() })
    const statements = await statementsOf(test.database.queries, async () => {
      expect(await posts.find(middle(), 10)).toMatchObject({ commentCount: commentsEach })
      const [latest] = (await posts.comments.list({ postId: middle(), limit: 2 })) ?? []
      await posts.comments.list({ postId: middle(), limit: 20, before: latest?.id })
      await posts.comments.find(latest?.id ?? '')
    })
    expect(statements).toHaveLength(4)
    await expectByIndexes(test.database, statements)
  })

  it('are written to by indexes alone', async () => {
    const statements: CompiledQuery[] = []
    const database: Database = {
      ...test.database,
      transaction: (work) =>
        test.database.transaction(async (trx) => {
          const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<typeof work>>>()
          statements.push(...(await statementsOf(trx, async () => resolve(await work(trx)))))
          return promise
        }),
    }
    const posts = createPosts({ database, queue: idleQueue() })
    const said = ids.slice(0, 50).map((postId) => ({ postId, owner: 'bob', text: 'x' }))
    const [one] = await Promise.all(said.map((each) => posts.comments.add(each)))
    await posts.comments.remove(one?.id ?? '')
    await posts.remove(one?.postId ?? '')
    await database.transaction((trx) => removeSome(trx, one?.postId ?? '', 1_000))
    expect(statements.length).toBeGreaterThan(5)
    await expectByIndexes(
      test.database,
      statements.filter(({ sql }) => !sql.includes('jobs')),
    )
    const { said: counted, there, orphans } = await countedComments(test.database)
    expect(counted).toEqual(there)
    expect(orphans).toBe(0)
  })

  it('have their comments looked for behind the post’s own place in the index', async () => {
    const { queries } = test.database
    const options = { postId: middle(), limit: 20, before: newId() }
    const plan = await planOf(test.database, commentsQuery(queries, options).compile())
    expect(plan).toContain('comments_by_post')
  })

  it('are found by their image through an index, also where most of them are of that one', async () => {
    const { queries } = test.database
    const imageId = ids.at(-1) ?? ''
    const given = { owner: 'local', image_id: imageId, caption: '', created_at: 0 }
    const rows = Array.from({ length: 1_800 }, () => ({ id: newId(), ...given }))
    await queries.insertInto('posts').values(rows).execute()
    await sql`analyze`.execute(queries)
    const statements = await statementsOf(queries, async () => {
      expect(await isPosted(queries, imageId)).toBe(true)
    })
    expect(statements).toHaveLength(1)
    await expectByIndexes(test.database, statements)
  })

  it('show images of which the few in another state are found by an index alone', async () => {
    const { queries } = test.database
    const failed = { owner: 'local', limit: 20, state: 'failed' as const }
    const statements = await statementsOf(queries, async () => {
      for (const before of [undefined, middle()]) {
        expect(await listImages(queries, { ...failed, before })).toEqual([])
      }
    })
    expect(statements).toHaveLength(2)
    await expectByIndexes(test.database, statements)
    for (const each of statements) {
      expect(await planOf(test.database, each)).toContain('images_failed')
    }
  })

  const position = (id: string) => ({ id, commentCount: commentsEach })
})

/** Posts of one image each, with renditions and comments, as those who take statistics know them. */
async function fill(database: Database): Promise<string[]> {
  const { queries } = database
  const image = await someImage(database, { state: 'ready' })
  const ids = Array.from({ length: postCount }, newId).toSorted()
  await database.transaction(async (trx) => {
    for (const table of ['uploads', 'images'] as const) {
      const row = await trx
        .selectFrom(table)
        .selectAll()
        .where('id', '=', image)
        .executeTakeFirstOrThrow()
      for (const id of ids)
        await trx
          .insertInto(table)
          .values({ ...row, id })
          .execute()
    }
    for (const id of ids) {
      const renditions = ['thumb', 'small', 'large'].map((preset) => ({
        ...{ image_id: id, preset, format: 'webp', content_type: 'image/webp' },
        ...{ width: 1, height: 1, size: 1, storage_key: `${id}${preset}`, etag: 'e' },
      }))
      await trx.insertInto('renditions').values(renditions).execute()
      const post = { id, owner: 'local', image_id: id, caption: '', created_at: 0 }
      await trx
        .insertInto('posts')
        .values({ ...post, comment_count: commentsEach })
        .execute()
      const comments = Array.from({ length: commentsEach }, () => ({
        ...{ id: newId(), post_id: id, owner: 'bob', text: 'x', created_at: 0 },
      }))
      await trx.insertInto('comments').values(comments).execute()
    }
  })
  await sql`analyze`.execute(queries)
  return ids
}

/** The statements that `work` carries out, by this or by anything that is built with it. */
async function statementsOf(queries: Queries, work: () => Promise<void>): Promise<CompiledQuery[]> {
  const statements: CompiledQuery[] = []
  const executor = queries.getExecutor()
  const execute = executor.executeQuery.bind(executor)
  executor.executeQuery = (query, ...rest) => {
    statements.push(query)
    return execute(query, ...rest)
  }
  await work()
  executor.executeQuery = execute
  return statements
}

/** No statement reads a table of ours from end to end, or puts in order what an index has in order. */
async function expectByIndexes(database: Database, statements: readonly CompiledQuery[]) {
  for (const each of statements) {
    const plan = await planOf(database, each)
    expect(plan, each.sql).not.toMatch(inSpiteOfIndexes[database.kind])
  }
}

const tables = 'posts?|comments|images|renditions'
const inSpiteOfIndexes = {
  sqlite: new RegExp(`SCAN (${tables})\\b(?! USING INDEX)|TEMP B-TREE`),
  postgres: new RegExp(`Seq Scan on "?(${tables})|Sort`),
}

async function planOf(database: Database, query: CompiledQuery): Promise<string> {
  const words = { sqlite: 'explain query plan', postgres: 'explain' }[database.kind]
  const explained = { ...query, sql: `${words} ${query.sql}` }
  return (await database.queries.executeQuery(explained)).rows
    .map((row) => JSON.stringify(row))
    .join('\n')
}
