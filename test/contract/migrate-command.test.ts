/** What `npm run migrate` does when it cannot do its work. */
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { newId } from '../../src/ids.ts'
import { Child } from '../support/child.ts'
import { freshDatabase } from '../support/fresh-databases.ts'

const script = fileURLToPath(new URL('../../scripts/migrate.ts', import.meta.url))

it('ends with the reason when jobs cannot be carried over', async () => {
  const fresh = await freshDatabase.postgres()
  const database = openDatabase(fresh.target)
  try {
    await migrate(database)
    await sql`insert into jobs (id, kind, payload, state, max_attempts, run_at, created_at)
      values (${newId()}, 'no name!', '{}', 'queued', 1, 1, 1)`.execute(database.queries)
    await using child = new Child({
      args: [script],
      env: { ...fresh.environment, PATH: process.env.PATH ?? '' },
    })
    expect(await child.exited).toEqual({ code: 2, signal: null })
    expect(child.stderr).toMatch(/^landfall: the queue in postgres .* cannot be brought up to date/)
  } finally {
    await database.close()
    await fresh.remove()
  }
})
