import { type Database, openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { type FreshDatabase, freshDatabase } from './fresh-databases.ts'

export interface TestDatabase {
  readonly database: Database
  readonly fresh: FreshDatabase
  /** Closes the database and removes it. */
  cleanup(): Promise<void>
}

export interface TestDatabaseTarget {
  readonly name: 'sqlite' | 'postgres'
  /** A database of the test's own with the newest schema. */
  create(): Promise<TestDatabase>
  /** An empty database, to be opened by the test or handed to a process. */
  fresh(): Promise<FreshDatabase>
}

/** What a test of the database loops over: `describe.each(databaseTargets)('… on $name', …)`. */
export const databaseTargets: readonly TestDatabaseTarget[] = [
  targetNamed('sqlite'),
  targetNamed('postgres'),
]

function targetNamed(name: TestDatabaseTarget['name']): TestDatabaseTarget {
  const fresh = freshDatabase[name]
  return { name, fresh, create: async () => createMigrated(await fresh()) }
}

async function createMigrated(fresh: FreshDatabase): Promise<TestDatabase> {
  const database = openDatabase(fresh.target)
  const cleanup = async () => {
    await database.close()
    await fresh.remove()
  }
  try {
    await migrate(database)
  } catch (error) {
    await cleanup()
    throw error
  }
  return { database, fresh, cleanup }
}
