import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What unfinished uploads from before get, and those that may yet fail: they could not expire. */
const graceMs = 86_400_000

/** Who may write to an upload, until when it may be continued, and by what its tail is known. */
export const leasesAndExpiry: Migration = {
  async up(db: Kysely<never>) {
    const uploads = () => db.schema.alterTable('uploads')
    await uploads().addColumn('lease_holder', 'text').execute()
    await uploads().addColumn('lease_token', 'text').execute()
    await uploads().addColumn('lease_until', 'bigint').execute()
    await uploads()
      .addColumn('lease_wanted', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await uploads().addColumn('expires_at', 'bigint').execute()
    await uploads().addColumn('tail_crc32', 'bigint').execute()
    for (const column of ['tail_epoch', 'tail_unsettled']) {
      await uploads()
        .addColumn(column, 'integer', (added) => added.notNull().defaultTo(0))
        .execute()
    }
    await sql`update uploads set expires_at = ${Date.now() + graceMs}
      where state in ('receiving', 'assembling', 'failed')`.execute(db)
    await db.schema
      .createIndex('uploads_leased')
      .on('uploads')
      .columns(['lease_holder', 'lease_wanted'])
      .where(sql<SqlBool>`lease_holder is not null`)
      .execute()
    await db.schema
      .createIndex('uploads_to_expire')
      .on('uploads')
      .column('expires_at')
      .where(sql<SqlBool>`state in ('receiving', 'failed', 'expired')`)
      .execute()
  },
}
