import { randomUUID } from 'node:crypto'
import { type Compilable, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { countStatement, newestStatement } from '../../src/queue/local/shelf.ts'
import { claimStatement } from '../../src/queue/local/transitions.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'

const target = databaseTargets.find(({ name }) => name === 'sqlite')

describe('the jobs table of SQLite', () => {
  let opened: TestDatabase
  let database: Database

  beforeEach(async () => {
    if (!target) throw new Error('there is no SQLite')
    opened = await target.create()
    database = opened.database
  })
  afterEach(() => opened.cleanup())

  it('is searched for the next job by index alone', async () => {
    const by = { kind: 'image.convert', holder: 'here', token: 't', now: 1, leaseUntil: 2 } as const
    const plan = await queryPlan(claimStatement(database.queries, by))
    expect(plan.join('\n')).toContain('jobs_to_claim (kind=?)')
    expect(plan.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([])
  })

  it('is listed by kind, state and age without reading other rows, or sorting', async () => {
    const page = { before: randomUUID(), createdBefore: 5, limit: 10 }
    const plan = await queryPlan(newestStatement(database.queries, 'image.convert', 'dead', page))
    expect(plan.join('\n')).toContain('jobs_by_state (kind=? AND state=? AND id<?)')
    expect(plan.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([])
  })

  it('is counted past the jobs that are done', async () => {
    const plan = await queryPlan(compilable(countStatement(['image.convert', 'storage.remove'], 1)))
    expect(plan.join('\n')).toContain('COVERING INDEX jobs_by_state (kind=? AND state=?)')
  })

  const compilable = (statement: ReturnType<typeof countStatement>): Compilable => ({
    compile: () => statement.compile(database.queries),
  })

  async function queryPlan(statement: Compilable): Promise<string[]> {
    const { sql: text, parameters } = statement.compile()
    const explain = { ...sql`select 1`.compile(database.queries), parameters }
    const { rows } = await database.queries.executeQuery({
      ...explain,
      sql: `explain query plan ${text}`,
    })
    return rows.map((row) => JSON.stringify(row))
  }
})
