import type { Database } from '../../src/database/database.ts'
import type { JobState } from '../../src/database/schema.ts'

/** How many jobs of a kind there are, in the `jobs` table. */
export async function depthOf({ queries }: Database, kind: string) {
  const rows = await queries
    .selectFrom('jobs')
    .select(['state', ({ fn }) => fn.countAll<number>().as('count')])
    .where('kind', '=', kind)
    .where('state', 'in', ['queued', 'active', 'dead'])
    .groupBy('state')
    .execute()
  const of = (state: JobState) => Number(rows.find((row) => row.state === state)?.count ?? 0)
  return { queued: of('queued'), active: of('active'), dead: of('dead') }
}
