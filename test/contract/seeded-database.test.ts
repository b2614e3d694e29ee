import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { databaseFile } from '../../scripts/bench/seed/cached.ts'
import { namesOf } from '../../scripts/bench/seed/names.ts'
import { createDatabase, seedDatabase } from '../../scripts/bench/seed/seed.ts'
import { removeNewComments } from '../../scripts/bench/seed/undo.ts'
import { Api } from '../support/api.ts'
import { startProgram } from '../support/program.ts'
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
