import { join } from 'node:path'
import { Kysely, type Logger, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sqliteDialect } from '../../src/database/dialects/sqlite.ts'
import { GroupCommit } from '../../src/database/group-commit.ts'
import { createUpload, findUpload } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { freshDatabase } from '../support/fresh-databases.ts'
import { newUpload } from '../support/uploads.ts'

describe.each(databaseTargets)('transactions that come at the same time, on $name', (target) => {
  let test: TestDatabase
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  it('are each done or undone as a whole, whatever happens to the others', async () => {
    const { database } = test
    const uploads = Array.from({ length: 20 }, () => newUpload())
    const outcomes = await Promise.allSettled(
      uploads.map((upload, index) =>
        database.transaction(async (trx) => {
          await createUpload(trx, upload)
          if (index % 3 === 0) throw new Error(`number ${index} went wrong`)
          return index
        }),
      ),
    )
    for (const [index, outcome] of outcomes.entries()) {
      const failed = index % 3 === 0
      expect(outcome).toMatchObject(
        failed
          ? { status: 'rejected', reason: { message: `number ${index} went wrong` } }
          : { status: 'fulfilled', value: index },
      )
      const found = await findUpload(database.queries, uploads[index]?.id ?? '')
      expect(found === undefined).toBe(failed)
    }
  })

  it('are told of an error of the database alone, too', async () => {
    const { database } = test
    const [one, two] = [newUpload(), newUpload()]
    const twice = database.transaction(async (trx) => {
      await createUpload(trx, one)
      await createUpload(trx, one)
    })
    const [first, second] = await Promise.allSettled([
      twice,
      database.transaction((trx) => createUpload(trx, two)),
    ])
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled'])
    expect(await findUpload(database.queries, one.id)).toBeUndefined()
    expect(await findUpload(database.queries, two.id)).toBeDefined()
  })
})

interface Tables {
  readonly things: { readonly id: number; readonly parent: number | null }
}

describe('SQLite', () => {
  const statements: string[] = []
  let fresh: Awaited<ReturnType<typeof freshDatabase.sqlite>>
  let queries: Kysely<Tables>
  let group: GroupCommit<Tables>

  beforeEach(async () => {
    fresh = await freshDatabase.sqlite()
    const log: Logger = ({ query }) => void statements.push(query.sql)
    queries = new Kysely({ dialect: sqliteDialect(join(fresh.directory, 'group.db')), log })
    await sql`create table things (id integer primary key,
      parent integer references things(id) deferrable initially deferred)`.execute(queries)
    group = new GroupCommit(queries)
    statements.length = 0
  })
  afterEach(async () => {
    await queries.destroy()
    await fresh.remove()
  })

  const insert = (id: number, parent: number | null = null) =>
    group.transaction((trx) => trx.insertInto('things').values({ id, parent }).execute())
  const ids = async () =>
    (await queries.selectFrom('things').select('id').orderBy('id').execute()).map(({ id }) => id)

  it('commits them together, and one that is alone without further ado', async () => {
    await Promise.all([insert(1), insert(2), insert(3)])
    expect(statements.filter((text) => text === 'commit')).toHaveLength(1)
    statements.length = 0
    await insert(4)
    expect(statements.map((text) => text.split(' ')[0])).toEqual(['begin', 'insert', 'commit'])
    expect(await ids()).toEqual([1, 2, 3, 4])
  })

  it('tells nobody of a group before it is committed, and all when that fails', async () => {
    const told: number[] = []
    const outcomes = await Promise.allSettled([
      insert(1).then(() => told.push(1)),
      // Found out when the transaction commits.
      insert(2, 99).then(() => told.push(2)),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(told).toEqual([])
    expect(await ids()).toEqual([])
    await insert(3)
    expect(await ids()).toEqual([3])
  })
})
