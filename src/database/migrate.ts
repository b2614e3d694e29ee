import { Migrator } from 'kysely/migration'
import { AppError, messageOf } from '../errors.ts'
import type { Database } from './database.ts'
import { migrations } from './migrations/index.ts'

/**
 * Brings the schema to the newest version, forward only, and returns the names of what it applied.
 * Safe when several processes start together: one migrates in one transaction, the others wait and
 * find nothing to do.
 * @throws AppError `migration-failed`.
 */
export async function migrate(database: Database): Promise<string[]> {
  const migrator = new Migrator({
    db: database.queries,
    provider: { getMigrations: async () => migrations(database.kind) },
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) {
    const what = `the schema of ${database.describe()} cannot be brought up to date`
    throw new AppError('migration-failed', 503, `${what} (${messageOf(error)})`, { cause: error })
  }
  return results.map((result) => result.migrationName)
}
