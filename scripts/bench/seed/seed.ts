/** Fills an empty database with as many rows as a large installation has, in minutes. */
import SqliteDatabase from 'better-sqlite3'
import { z } from 'zod'
import { openDatabase } from '../../../src/database/database.ts'
import { migrate } from '../../../src/database/migrate.ts'
import { Progress } from '../../support/progress.ts'
import { namesOf } from './names.ts'
import { type SeedTable, seedTables } from './rows.ts'

const rowsPerTransaction = 100_000
const pageCacheKibibytes = 512 * 1_024

/** Creates a SQLite database with the tables of this version of the program. */
export async function createDatabase(file: string): Promise<void> {
  const database = openDatabase({ kind: 'sqlite', file })
  try {
    await migrate(database)
  } finally {
    await database.close()
  }
}

/**
 * Writes images with their uploads and renditions, as many posts, and ten times as many comments.
 * The same count gives the same rows. The objects they tell of are not written, nor named in
 * `rendition_objects`.
 * @param file a database whose tables are empty. It is worth nothing when this fails.
 */
export function seedDatabase(file: string, count: number): void {
  using database = open(file)
  const tables = seedTables(namesOf(count))
  // In any order but their own, rows cost more the more there are; sorted at the end, they do not.
  const indexes = tables.flatMap(({ name }) => indexesOf(database, name))
  for (const { name } of indexes) database.exec(`drop index ${name}`)
  const progress = new Progress(
    tables.reduce((sum, table) => sum + table.count, 0),
    (rows) => `${rows.toLocaleString('en')} things`,
  )
  let done = 0
  for (const table of tables) {
    fill(database, table, (written) => progress.update(done + written))
    done += table.count
  }
  progress.end()
  console.log(`  and ${indexes.length} indexes`)
  for (const { sql } of indexes) database.exec(sql)
}

/** Without a journal: half of it is of no use to anybody. */
function open(file: string): SqliteDatabase.Database & Disposable {
  const database = new SqliteDatabase(file, { fileMustExist: true })
  database.pragma('locking_mode = exclusive')
  database.pragma('journal_mode = off')
  database.pragma('synchronous = off')
  database.pragma('foreign_keys = off')
  database.pragma('threads = 4')
  database.pragma(`cache_size = -${pageCacheKibibytes}`)
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() })
}

const indexSchema = z.array(z.object({ name: z.string(), sql: z.string() }))

/** Those that were created by a statement, and not as a part of the table. */
function indexesOf(database: SqliteDatabase.Database, table: string) {
  const rows = database
    .prepare(
      "select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name = ?",
    )
    .all(table)
  return indexSchema.parse(rows)
}

function fill(
  database: SqliteDatabase.Database,
  { name, columns, count, rows }: SeedTable,
  onProgress: (written: number) => void,
): void {
  const named = columns.map((column) => `"${column}"`).join(', ')
  const values = columns.map(() => '?').join(', ')
  const insert = database.prepare(`insert into ${name} (${named}) values (${values})`)
  const insertSome = database.transaction((from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      for (const row of rows(number)) insert.run(...row)
    }
  })
  for (let from = 0; from < count; from += rowsPerTransaction) {
    const to = Math.min(count, from + rowsPerTransaction)
    insertSome(from, to)
    onProgress(to)
  }
}
