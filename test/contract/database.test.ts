import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase, type Queries } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { freePort } from '../support/free-port.ts'
import { freshDatabase } from '../support/fresh-databases.ts'
import { waitFor } from '../support/wait.ts'

const event = { id: 'one', type: 'stored', subject: 'upload', payload: '{}' }

describe.each(databaseTargets)('the database on $name', (target) => {
  let opened: TestDatabase
  beforeEach(async () => {
    opened = await target.create()
  })
  afterEach(() => opened.cleanup())

  it('has nothing to migrate a second time', async () => {
    expect(await migrate(opened.database)).toEqual([])
  })

  it('keeps what a transaction did once it is over', async () => {
    const { database } = opened
    const answer = await database.transaction(async (trx) => {
      await trx
        .insertInto('events')
        .values({ ...event, created_at: 1 })
        .execute()
      return 'answer'
    })
    expect(answer).toBe('answer')
    expect(await database.queries.selectFrom('events').select('id').execute()).toHaveLength(1)
  })

  it('keeps nothing of a transaction that throws, and throws it on', async () => {
    const { database } = opened
    const failure = new Error('no')
    const work = database.transaction(async (trx) => {
      await trx
        .insertInto('events')
        .values({ ...event, created_at: 1 })
        .execute()
      throw failure
    })
    await expect(work).rejects.toBe(failure)
    expect(await database.queries.selectFrom('events').select('id').execute()).toEqual([])
  })

  it('returns times and sizes as numbers, however large', async () => {
    const { queries } = opened.database
    const largest = Number.MAX_SAFE_INTEGER
    await queries
      .insertInto('events')
      .values({ ...event, created_at: largest })
      .execute()
    const row = await queries.selectFrom('events').selectAll().executeTakeFirstOrThrow()
    expect(row).toEqual({ ...event, position: 1, created_at: largest })
  })

  it('numbers events in the order in which they were written', async () => {
    const { queries } = opened.database
    for (const id of ['c', 'a', 'b']) {
      await queries
        .insertInto('events')
        .values({ ...event, id, created_at: 1 })
        .execute()
    }
    const rows = await queries.selectFrom('events').select('id').orderBy('position').execute()
    expect(rows.map((row) => row.id)).toEqual(['c', 'a', 'b'])
  })

  it('removes what belongs to an upload together with it', async () => {
    const { queries } = opened.database
    await insertUpload(opened)
    const part = { upload_id: 'upload', number: 1, size: 5, etag: 'etag' }
    await queries.insertInto('upload_parts').values(part).execute()
    await queries.deleteFrom('uploads').execute()
    expect(await queries.selectFrom('upload_parts').selectAll().execute()).toEqual([])
  })

  it('refuses what belongs to an upload that does not exist', async () => {
    const part = { upload_id: 'nothing', number: 1, size: 5, etag: 'etag' }
    const insert = opened.database.queries.insertInto('upload_parts').values(part).execute()
    await expect(insert).rejects.toThrow(/foreign key/i)
  })
})

describe('PostgreSQL', () => {
  it('may go away in the middle of a transaction: that one fails, the next one works', async () => {
    const fresh = await freshDatabase.postgres()
    const broken: Error[] = []
    const database = openDatabase(fresh.target, (error) => broken.push(error))
    const other = openDatabase(fresh.target)
    const work = database.transaction(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
      await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other.queries)
      await waitFor(() => broken.length > 0, { intervalMs: 5 })
      await sql`select 1`.execute(trx)
    })
    await expect(work).rejects.toMatchObject({ code: 'database-unavailable', status: 503 })
    expect(broken[0]?.message).toMatch(/terminating connection/)
    await expect(database.check()).resolves.toBeUndefined()
    await Promise.all([database.close(), other.close()])
    await fresh.remove()
  })
})

describe('SQLite', () => {
  it('lets readers read while one writes, and blocks for moments only', async () => {
    const fresh = await freshDatabase.sqlite()
    const database = openDatabase(fresh.target)
    const pragma = (name: string) => readPragma(database.queries, name)
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('foreign_keys')).toBe(1)
    expect(await pragma('busy_timeout')).toBe(20)
    await database.close()
    await fresh.remove()
  })

  it('syncs the disk with every transaction, and with nothing else', async () => {
    const fresh = await freshDatabase.sqlite()
    const database = openDatabase(fresh.target)
    const mode = (queries: Queries) => readPragma(queries, 'synchronous')
    const [normal, full] = [1, 2]
    expect(await mode(database.queries)).toBe(normal)
    expect(await database.transaction(mode)).toBe(full)
    expect(await mode(database.queries)).toBe(normal)
    await expect(database.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await mode(database.queries)).toBe(normal)
    expect(await database.transaction(mode)).toBe(full)
    await database.close()
    await fresh.remove()
  })
})

async function readPragma(queries: Queries, name: string): Promise<unknown> {
  const { rows } = await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(queries)
  return Object.values(rows[0] ?? {})[0]
}

describe('opening a new SQLite file', () => {
  it('waits for another process that is writing to it already', async () => {
    const fresh = await freshDatabase.sqlite()
    const file = join(fresh.directory, 'new.db')
    const other = new SqliteDatabase(file)
    other.exec('begin immediate')
    const database = openDatabase({ kind: 'sqlite', file })
    const opened = database.check()
    await setImmediate()
    other.exec('create table something (x)')
    other.exec('commit')
    other.close()
    await expect(opened).resolves.toBeUndefined()
    await database.close()
    await fresh.remove()
  })
})

describe('a database that cannot be used', () => {
  it('is reported with its setting and without the password: PostgreSQL', async () => {
    const url = `postgres://me:secret@127.0.0.1:${await freePort()}/landfall`
    const database = openDatabase({ kind: 'postgres', url })
    const error: unknown = await database.check().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'database-unavailable', status: 503 })
    expect(String(error)).toMatch(/DATABASE_URL: cannot use postgres 127\.0\.0\.1:\d+\/landfall/)
    expect(String(error)).not.toContain('secret')
    await database.close()
  })

  it('is reported with its setting: SQLite', async () => {
    const fresh = await freshDatabase.sqlite()
    const file = join(fresh.directory, 'other.db')
    await writeFile(file, 'this is no database, but long enough to be taken for one '.repeat(20))
    const database = openDatabase({ kind: 'sqlite', file })
    await expect(database.check()).rejects.toMatchObject({
      code: 'database-unavailable',
      message: expect.stringContaining(`DATA_DIR: cannot open ${file}`),
    })
    await database.close()
    await fresh.remove()
  })

  it('passes the check once it can be', async () => {
    const fresh = await freshDatabase.sqlite()
    const database = openDatabase(fresh.target)
    await expect(database.check()).resolves.toBeUndefined()
    await database.close()
    await fresh.remove()
  })
})

describe('the description of a database', () => {
  it('tells where it is, without user and password', () => {
    const remote = openDatabase({ kind: 'postgres', url: 'postgres://me:secret@db:5433/landfall' })
    const local = openDatabase({ kind: 'sqlite', file: '/data/landfall.db' })
    expect(remote.describe()).toBe('postgres db:5433/landfall')
    expect(local.describe()).toBe('sqlite /data/landfall.db')
  })
})

async function insertUpload({ database }: TestDatabase): Promise<void> {
  await database.queries
    .insertInto('uploads')
    .values({
      id: 'upload',
      owner: 'owner',
      dialect: 'tus',
      length: 5,
      offset: 5,
      state: 'receiving',
      tail_size: 0,
      created_at: 1,
      updated_at: 1,
    })
    .execute()
}
