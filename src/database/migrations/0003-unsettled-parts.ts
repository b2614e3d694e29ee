import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** How the parts have to be made again that a call nobody heard of may yet replace. */
export const unsettledParts: Migration = {
  async up(db: Kysely<never>) {
    const uploads = () => db.schema.alterTable('uploads')
    await uploads()
      .addColumn('unsettled_parts', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await uploads().addColumn('unsettled_part_size', 'bigint').execute()
  },
}
