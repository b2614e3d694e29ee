import { type ColumnDefinitionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { DatabaseTarget } from '../database.ts'

export function firstLight(kind: DatabaseTarget['kind']): Migration {
  return {
    async up(db: Kysely<never>) {
      await createUploads(db)
      await createImages(db)
      await createJobs(db)
      await createEvents(db, kind)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const counter = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)

async function createUploads(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('uploads')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('owner', 'text', required)
    .addColumn('dialect', 'text', required)
    .addColumn('length', 'bigint')
    .addColumn('offset', 'bigint', counter)
    .addColumn('metadata', 'text')
    .addColumn('filename', 'text')
    .addColumn('content_type', 'text')
    .addColumn('state', 'text', required)
    .addColumn('failure', 'text')
    .addColumn('multipart_id', 'text')
    .addColumn('tail_key', 'text')
    .addColumn('tail_size', 'bigint', counter)
    .addColumn('sha256', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .addColumn('stored_at', 'bigint')
    .execute()
  await db.schema.createIndex('uploads_by_owner').on('uploads').columns(['owner', 'id']).execute()
  await db.schema
    .createIndex('uploads_to_finish')
    .on('uploads')
    .column('updated_at')
    .where(sql<SqlBool>`state = 'assembling'`)
    .execute()
  await db.schema
    .createTable('upload_parts')
    .addColumn('upload_id', 'text', (column) =>
      column.notNull().references('uploads.id').onDelete('cascade'),
    )
    .addColumn('number', 'integer', required)
    .addColumn('size', 'bigint', required)
    .addColumn('etag', 'text', required)
    .addPrimaryKeyConstraint('upload_parts_key', ['upload_id', 'number'])
    .execute()
}

async function createImages(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('images')
    .addColumn('id', 'text', (column) =>
      column.primaryKey().references('uploads.id').onDelete('cascade'),
    )
    .addColumn('owner', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('error_code', 'text')
    .addColumn('error_message', 'text')
    .addColumn('filename', 'text')
    .addColumn('content_type', 'text')
    .addColumn('format', 'text')
    .addColumn('size', 'bigint', required)
    .addColumn('width', 'integer')
    .addColumn('height', 'integer')
    .addColumn('sha256', 'text')
    .addColumn('thumbhash', 'text')
    .addColumn('color', 'text')
    .addColumn('exif', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('finished_at', 'bigint')
    .execute()
  await db.schema.createIndex('images_by_owner').on('images').columns(['owner', 'id']).execute()
  await db.schema
    .createTable('renditions')
    .addColumn('image_id', 'text', (column) =>
      column.notNull().references('images.id').onDelete('cascade'),
    )
    .addColumn('preset', 'text', required)
    .addColumn('format', 'text', required)
    .addColumn('content_type', 'text', required)
    .addColumn('width', 'integer', required)
    .addColumn('height', 'integer', required)
    .addColumn('size', 'bigint', required)
    .addColumn('storage_key', 'text', required)
    .addColumn('etag', 'text', required)
    .addPrimaryKeyConstraint('renditions_key', ['image_id', 'preset', 'format'])
    .execute()
}

async function createJobs(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('jobs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', required)
    .addColumn('payload', 'text', required)
    .addColumn('dedupe_key', 'text')
    .addColumn('priority', 'integer', counter)
    .addColumn('state', 'text', required)
    .addColumn('attempts', 'integer', counter)
    .addColumn('max_attempts', 'integer', required)
    .addColumn('losses', 'integer', counter)
    .addColumn('run_at', 'bigint', required)
    .addColumn('lease_holder', 'text')
    .addColumn('lease_token', 'text')
    .addColumn('lease_until', 'bigint')
    .addColumn('last_error', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('finished_at', 'bigint')
    .execute()
  await db.schema
    .createIndex('jobs_to_claim')
    .on('jobs')
    .columns(['kind', 'priority desc', 'id', 'run_at'])
    .where(sql<SqlBool>`state = 'queued'`)
    .execute()
  await db.schema
    .createIndex('jobs_leased')
    .on('jobs')
    .column('lease_until')
    .where(sql<SqlBool>`state = 'active'`)
    .execute()
  await db.schema
    .createIndex('jobs_finished')
    .on('jobs')
    .column('finished_at')
    .where(sql<SqlBool>`state = 'done'`)
    .execute()
  await db.schema
    .createIndex('jobs_unfinished_once')
    .unique()
    .on('jobs')
    .columns(['kind', 'dedupe_key'])
    .where(sql<SqlBool>`state in ('queued', 'active')`)
    .execute()
}

async function createEvents(db: Kysely<never>, kind: DatabaseTarget['kind']): Promise<void> {
  await db.schema
    .createTable('events')
    .addColumn('position', kind === 'sqlite' ? 'integer' : 'bigint', (column) =>
      kind === 'sqlite'
        ? column.primaryKey().autoIncrement()
        : column.primaryKey().generatedAlwaysAsIdentity(),
    )
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('type', 'text', required)
    .addColumn('subject', 'text', required)
    .addColumn('payload', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .execute()
}
