import { type ColumnDefinitionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const key = (column: ColumnDefinitionBuilder) => column.primaryKey()
const counter = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)

/** What there is about people: their posts, comments and pictures, what they use, and upload links. */
export const people: Migration = {
  async up(db: Kysely<never>) {
    await createImageStates(db)
    await createPosts(db)
    await createProfiles(db)
    await createUsage(db)
    await createLinks(db)
    await db.schema
      .createTable('secrets')
      .addColumn('name', 'text', key)
      .addColumn('value', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .execute()
  },
}

/** Among a million images of one owner the few that failed are found at once. */
async function createImageStates(db: Kysely<never>): Promise<void> {
  for (const state of ['failed', 'processing']) {
    await db.schema
      .createIndex(`images_${state}`)
      .on('images')
      .columns(['owner', 'id'])
      .where(sql<SqlBool>`state = ${sql.lit(state)}`)
      .execute()
  }
}

async function createPosts(db: Kysely<never>): Promise<void> {
  await db.schema.alterTable('images').addColumn('revision', 'integer', counter).execute()
  await db.schema
    .createTable('posts')
    .addColumn('id', 'text', key)
    .addColumn('owner', 'text', required)
    .addColumn('image_id', 'text', (column) =>
      column.notNull().references('images.id').onDelete('cascade'),
    )
    .addColumn('caption', 'text', required)
    .addColumn('comment_count', 'integer', counter)
    .addColumn('revision', 'integer', counter)
    .addColumn('created_at', 'bigint', required)
    .execute()
  // All posts of an image have one owner; see `isPosted`.
  await db.schema.createIndex('posts_by_image').on('posts').columns(['image_id', 'owner']).execute()
  await db.schema
    .createIndex('posts_by_comments')
    .on('posts')
    .columns(['comment_count', 'id'])
    .execute()
  // Without a reference to the post: a million comments are not removed in one transaction with it.
  await db.schema
    .createTable('comments')
    .addColumn('id', 'text', key)
    .addColumn('post_id', 'text', required)
    .addColumn('owner', 'text', required)
    .addColumn('text', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .execute()
  await db.schema
    .createIndex('comments_by_post')
    .on('comments')
    .columns(['post_id', 'id'])
    .execute()
}

async function createProfiles(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('profiles')
    .addColumn('owner', 'text', key)
    .addColumn('avatar_image_id', 'text', (column) =>
      column.references('images.id').onDelete('set null'),
    )
    .addColumn('updated_at', 'bigint', required)
    .execute()
  await db.schema
    .createIndex('profiles_by_avatar')
    .on('profiles')
    .column('avatar_image_id')
    .where(sql<SqlBool>`avatar_image_id is not null`)
    .execute()
}

/** In shards, so that those who store at the same time seldom wait for each other. */
async function createUsage(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('usage')
    .addColumn('owner', 'text', required)
    .addColumn('shard', 'integer', required)
    .addColumn('bytes', 'bigint', required)
    .addPrimaryKeyConstraint('usage_key', ['owner', 'shard'])
    .execute()
  await sql`insert into usage (owner, shard, bytes)
    select owner, 0, sum("offset") from uploads
    where state = 'stored' and (concat is null or concat != 'partial') group by owner`.execute(db)
  await db.schema
    .createTable('upload_rates')
    .addColumn('owner', 'text', key)
    .addColumn('full_at', 'bigint', required)
    .execute()
  await db.schema
    .createIndex('uploads_counted')
    .on('uploads')
    .columns(['owner', 'final_id', 'length', 'offset'])
    .where(
      sql<SqlBool>`(state in ('receiving', 'assembling') or (state = 'stored' and concat = 'partial' and (final_id is null or expires_at is null)))`,
    )
    .execute()
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('owner', 'text', required)
    .addColumn('key', 'text', required)
    .addColumn('request', 'text', required)
    .addColumn('upload_id', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('idempotency_keys_key', ['owner', 'key'])
    .execute()
  await db.schema
    .createIndex('idempotency_keys_by_age')
    .on('idempotency_keys')
    .column('created_at')
    .execute()
}

async function createLinks(db: Kysely<never>): Promise<void> {
  await db.schema.alterTable('uploads').addColumn('link_check_at', 'bigint').execute()
  await db.schema.alterTable('uploads').addColumn('incoming_until', 'bigint').execute()
  await db.schema
    .createIndex('uploads_links_to_check')
    .on('uploads')
    .column('link_check_at')
    .where(sql<SqlBool>`link_check_at is not null`)
    .execute()
}
