import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What an operator is told of jobs, and the index that finds them by kind, state and age. */
export const jobTries: Migration = {
  async up(db: Kysely<never>) {
    await db.schema.alterTable('jobs').addColumn('tries', 'text').execute()
    await db.schema.alterTable('jobs').addColumn('started_at', 'bigint').execute()
    await db.schema
      .createIndex('jobs_by_state')
      .on('jobs')
      .columns(['kind', 'state', 'id'])
      .execute()
  },
}
