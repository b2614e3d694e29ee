import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { databaseFile } from '../../scripts/bench/seed/cached.ts'
import { namesOf } from '../../scripts/bench/seed/names.ts'
import { createDatabase, seedDatabase } from '../../scripts/bench/seed/seed.ts'
import { removeNewComments } from '../../scripts/bench/seed/undo.ts'
import { Api, type Page } from '../support/api.ts'
import { startProgram } from '../support/program.ts'
import { type CommentView, Person, type PostView } from '../support/story.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const count = 200
const names = namesOf(count)
let directory: TemporaryDirectory

beforeAll(async () => {
  directory = await temporaryDirectory()
  const file = join(directory.path, databaseFile)
  await createDatabase(file)
  seedDatabase(file, count)
})
afterAll(() => directory[Symbol.asyncDispose]())

test('the rows that the bench seeds are what the program serves', async () => {
  await using program = await startProgram({ dataDir: directory.path, env: { AUTH: 'off' } })
  const image = await new Api(program).image(names.images.id(count - 1))
  expect(image).toMatchObject({ state: 'ready', format: 'jpeg', width: 4032 })
  expect(image.renditions.map(({ preset, format }) => `${preset}.${format}`)).toEqual([
    ...['thumb.webp', 'small.webp', 'medium.webp'],
    ...['large.avif', 'large.webp', 'large-avif.avif'],
  ])
  await program.stop()
})

test('a post that the bench seeds has its image, its author, and its latest comments', async () => {
  await using program = await startProgram({ dataDir: directory.path, env: { AUTH: 'off' } })
  const reader = new Person(program)
  const number = postWithComments()
  const post = await reader.read<PostView>(`/v1/posts/${names.posts.id(number)}?comments=3`)
  expect(post.image).toMatchObject({ id: names.images.id(number), state: 'ready' })
  expect(post.author.id).toMatch(/^user-\d+$/)
  expect(post.commentCount).toBeGreaterThan(3)
  const all = await reader.read<Page<CommentView>>(`/v1/posts/${post.id}/comments?limit=100`)
  expect(all.items.length).toBe(Math.min(100, post.commentCount))
  expect(post.comments).toEqual(all.items.slice(0, 3))
  const ids = all.items.map(({ id }) => id)
  expect(ids).toEqual(ids.toSorted().toReversed())
  const { items } = await reader.posts('?sort=comments&limit=5')
  expect(items.map(({ commentCount }) => commentCount)).toEqual(mostComments(5))
  await program.stop()
})

test('the rows that the bench seeds refer to each other, and their counts are right', () => {
  using database = open()
  expect(database.pragma('foreign_key_check')).toEqual([])
  expect(wrongCounts(database)).toEqual([])
  const commentsOf = database.prepare('select max(comment_count) from posts').pluck()
  expect(commentsOf.get()).toBeGreaterThan(50)
  const ids = database.prepare('select id from comments order by id').pluck().all()
  expect(ids).toEqual(Array.from({ length: count * 10 }, (_, number) => names.comments.id(number)))
})

test('a seeded database has the indexes of a fresh one', async () => {
  await using other = await temporaryDirectory()
  await createDatabase(join(other.path, databaseFile))
  using seeded = open()
  using fresh = open(other)
  expect(indexesOf(seeded)).toEqual(indexesOf(fresh))
})

test('what was commented since a database was seeded can be taken back', () => {
  {
    using database = open()
    const add = database.prepare(`insert into comments (id, post_id, owner, text, created_at)
      values (?, ?, 'somebody', 'new', 0)`)
    for (const number of [1, 2]) {
      add.run(`ffffffff-ffff-7fff-8fff-fffffffffff${number}`, names.posts.id(7))
    }
    const id = names.posts.id(7)
    database.prepare('update posts set comment_count = comment_count + 2 where id = ?').run(id)
  }
  removeNewComments(directory.path, count)
  using database = open()
  expect(database.prepare('select count(*) from comments').pluck().get()).toBe(count * 10)
  expect(wrongCounts(database)).toEqual([])
})

function open(where = directory): SqliteDatabase.Database & Disposable {
  const database = new SqliteDatabase(join(where.path, databaseFile), { fileMustExist: true })
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() })
}

/** The number of a post on which more than three have commented. */
function postWithComments(): number {
  using database = open()
  const id = database.prepare('select id from posts where comment_count > 3 limit 1').pluck().get()
  return Array.from({ length: count }, (_, number) => names.posts.id(number)).indexOf(String(id))
}

function mostComments(posts: number): unknown[] {
  using database = open()
  const sql = 'select comment_count from posts order by comment_count desc limit ?'
  return database.prepare(sql).pluck().all(posts)
}

function wrongCounts(database: SqliteDatabase.Database): unknown[] {
  return database
    .prepare(
      `select id from posts where comment_count !=
        (select count(*) from comments where comments.post_id = posts.id)`,
    )
    .all()
}

function indexesOf(database: SqliteDatabase.Database): unknown[] {
  return database
    .prepare("select name, sql from sqlite_master where type = 'index' order by name")
    .all()
}
