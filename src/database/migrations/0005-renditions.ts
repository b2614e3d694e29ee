import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What lets renditions be made anew, shared by images of the same bytes, and removed to the last one. */
export const renditions: Migration = {
  async up(db: Kysely<never>) {
    const added = () => db.schema.alterTable('renditions')
    for (const column of ['frames', 'revision']) {
      await added()
        .addColumn(column, 'integer', (count) => count.notNull().defaultTo(1))
        .execute()
    }
    await added().addColumn('fingerprint', 'text').execute()
    await createObjects(db)
    await db.schema
      .createIndex('images_by_content')
      .on('images')
      .columns(['owner', 'sha256'])
      .where(sql<SqlBool>`state = 'ready'`)
      .execute()
  },
}

async function createObjects(db: Kysely<never>): Promise<void> {
  await db.schema.createIndex('renditions_by_key').on('renditions').column('storage_key').execute()
  await db.schema
    .createTable('rendition_objects')
    .addColumn('storage_key', 'text', (column) => column.primaryKey())
    .addColumn('image_id', 'text', (column) => column.notNull())
    .addColumn('preset', 'text')
    .addColumn('format', 'text')
    .addColumn('fingerprint', 'text')
    .execute()
  await db.schema
    .createIndex('rendition_objects_by_image')
    .on('rendition_objects')
    .column('image_id')
    .execute()
  await sql`insert into rendition_objects (storage_key, image_id)
    select storage_key, image_id from renditions`.execute(db)
  // Where a conversion that is under way may be writing: it names them nowhere.
  for (const name of ['thumb.webp', 'small.webp', 'medium.webp', 'large.webp', 'large-avif.avif']) {
    await sql`insert into rendition_objects (storage_key, image_id)
      select 'images/' || id || '/' || ${sql.lit(name)}, id from images
      where state = 'processing'`.execute(db)
  }
}
