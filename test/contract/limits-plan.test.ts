import { type RawBuilder, sql } from 'kysely'
import { expect, it } from 'vitest'
import { bytesQuery, unfinishedQuery } from '../../src/uploads/limits/usage.ts'
import { databaseTargets } from '../support/databases.ts'
import { newUpload } from '../support/uploads.ts'

it.each(databaseTargets)(
  'what a user has is counted on $name by indexes, and without looking at what is stored',
  async (target) => {
    const { database, cleanup } = await target.create()
    const { queries } = database
    const plan = async (query: RawBuilder<unknown>) => {
      const explain = sql.raw(target.name === 'sqlite' ? 'explain query plan' : 'explain')
      return JSON.stringify((await sql`${explain} ${query}`.execute(queries)).rows)
    }
    try {
      const many = Array.from({ length: 5_000 }, (_, each) => rowOf(each))
      for (let start = 0; start < many.length; start += 500) {
        await queries
          .insertInto('uploads')
          .values(many.slice(start, start + 500))
          .execute()
      }
      const usage = Array.from({ length: 2_000 }, (_, each) => ({
        owner: `owner-${each}`,
        shard: each % 16,
        bytes: each,
      }))
      await queries.insertInto('usage').values(usage).execute()
      await sql`analyze`.execute(queries)
      const bytes = await plan(bytesQuery('owner-1'))
      expect(bytes).toContain(target.name === 'sqlite' ? 'sqlite_autoindex_usage_1' : 'usage_key')
      expect(bytes).toContain('uploads_counted')
      const unfinished = await plan(unfinishedQuery('owner-1', 10))
      expect(unfinished).toContain('uploads_counted')
      for (const each of [bytes, unfinished]) {
        expect(each).not.toMatch(/Seq Scan|SCAN (usage|uploads|whole)|TEMP B-TREE/)
      }
    } finally {
      await cleanup()
    }
  },
)

/** One in twenty is unfinished, some of them parts; most uploads are of one owner. */
function rowOf(each: number) {
  const { id, dialect, expiresAt } = newUpload()
  const isUnfinished = each % 20 === 0
  return {
    id,
    owner: each % 10 === 3 ? `owner-${each}` : 'owner-1',
    dialect,
    length: 10,
    offset: 10,
    tail_size: 0,
    state: isUnfinished ? ('receiving' as const) : ('stored' as const),
    concat: each % 40 === 0 ? 'partial' : null,
    final_id: each % 80 === 0 ? `final-${each}` : null,
    expires_at: isUnfinished ? expiresAt : null,
    created_at: 1,
    updated_at: 1,
  }
}
