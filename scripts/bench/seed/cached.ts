import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { createDatabase, seedDatabase } from './seed.ts'

/** The name of the program's database in its directory. */
export const databaseFile = 'landfall.db'

/**
 * A directory of data for the program whose database is seeded. It is kept in the system's temporary
 * directory between runs, for as long as neither the tables nor the rows are to be others.
 */
export async function seededDirectory(count: number): Promise<string> {
  const prefix = `landfall-bench-rows-${count}-`
  const name = `${prefix}${await versionOfSeed()}`
  const path = join(tmpdir(), name)
  if (existsSync(path)) return path
  await removeOutdated(prefix)
  console.log(`  seeding a database with ${count.toLocaleString('en')} images`)
  const begun = performance.now()
  const making = `${path}.${randomBytes(4).toString('hex')}`
  try {
    await mkdir(making)
    await createDatabase(join(making, databaseFile))
    seedDatabase(join(making, databaseFile), count)
    // Another run may have been making the same one.
    if (!existsSync(path)) await rename(making, path)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  console.log(`  that took ${Math.round((performance.now() - begun) / 1_000)} s`)
  return path
}

/** Gigabytes that nobody would ask for again. */
async function removeOutdated(prefix: string): Promise<void> {
  const outdated = (await readdir(tmpdir())).filter(
    (name) => name.startsWith(prefix) && !name.includes('.'),
  )
  for (const name of outdated) await rm(join(tmpdir(), name), { recursive: true, force: true })
}

/** Of the tables, and of the code that fills them. */
async function versionOfSeed(): Promise<string> {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, databaseFile)
  await createDatabase(file)
  const database = new SqliteDatabase(file, { readonly: true })
  const schema = database.prepare('select sql from sqlite_master order by name').all()
  database.close()
  const sources = ['names.ts', 'rows.ts', 'seed.ts'].map((source) =>
    readFileSync(join(import.meta.dirname, source), 'utf8'),
  )
  const all = JSON.stringify([schema, sources])
  return createHash('sha256').update(all).digest('hex').slice(0, 16)
}
