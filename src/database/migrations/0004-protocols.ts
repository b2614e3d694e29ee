import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What concatenation, digests and bytes under a checksum need to be remembered by. */
export const protocols: Migration = {
  async up(db: Kysely<never>) {
    const uploads = () => db.schema.alterTable('uploads')
    for (const column of ['concat', 'sources', 'final_id', 'repr_digest', 'want_repr_digest']) {
      await uploads().addColumn(column, 'text').execute()
    }
    await uploads().addColumn('staged_token', 'text').execute()
    await uploads()
      .addColumn('staged_count', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await db.schema
      .createIndex('uploads_by_final')
      .on('uploads')
      .column('final_id')
      .where(sql<SqlBool>`final_id is not null`)
      .execute()
    await letPartialsExpire(db)
  },
}

/** Of the stored uploads only those that are a part of another one have a time to go at. */
async function letPartialsExpire(db: Kysely<never>): Promise<void> {
  await db.schema.dropIndex('uploads_to_expire').execute()
  await db.schema
    .createIndex('uploads_to_expire')
    .on('uploads')
    .column('expires_at')
    .where(
      sql<SqlBool>`(state in ('receiving', 'failed', 'expired') or (state = 'stored' and concat = 'partial')) and expires_at is not null`,
    )
    .execute()
}
