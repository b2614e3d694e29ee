import { Migrator } from 'kysely/migration'
import type { Database } from './database.ts'
import { migrations } from './migrations/index.ts'

/**
 * Brings the schema to the newest version, forward only, and returns the names of what it applied.
 * Safe when several processes start together: one migrates in one transaction, the others wait and
 * find nothing to do.
 */
export async function migrate(database: Database): Promise<string[]> {
  const migrator = new Migrator({
    db: database.queries,
    provider: { getMigrations: async () => migrations(database.kind) },
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) throw error
  return results.map((result) => result.migrationName)
}
