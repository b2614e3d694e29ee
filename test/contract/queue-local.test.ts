import { type Compilable, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../src/database/database.ts'
import * as transitions from '../../src/queue/local/transitions.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { countStatements } from '../support/statements.ts'
import { waitFor } from '../support/wait.ts'

const now = 1_000
const holder = 'here:1:x'

describe.each(databaseTargets)('the jobs table on $name', (target) => {
  let opened: TestDatabase
  let bench: QueueBench
  let database: Database

  beforeEach(async () => {
    opened = await target.create()
    database = opened.database
    bench = new QueueBench(database)
    bench.clock.time = now
  })
  afterEach(async () => {
    await bench.stop()
    await opened.cleanup()
  })

  const claim = (token: string) =>
    transitions.claim(database, { kind: 'image.convert', holder, token, now, leaseUntil: now + 10 })

  it.each<[string, (job: transitions.LeasedJob) => Promise<boolean>]>([
    ['done', (job) => transitions.complete(database, job, now)],
    ['retried', (job) => transitions.retry(database, job, now, 'no')],
    ['refunded', (job) => transitions.refund(database, job, 'no')],
    ['dead', (job) => transitions.bury(database, job, now, 'no', () => Promise.reject('called'))],
    ['queued again', (job) => transitions.requeue(database, lost(job), 'no')],
  ])('is not changed by a former holder that calls the job %s', async (_name, end) => {
    await bench.addImage(bench.create(), 'one')
    const former = await claim('former')
    if (!former) throw new Error('nothing was claimed')
    await transitions.refund(database, former, 'gone')
    await claim('present')
    const before = await bench.job()
    expect(await end(former)).toBe(false)
    expect(await bench.job()).toEqual(before)
  })

  const lost = (job: transitions.LeasedJob): transitions.LostJob => ({
    ...job,
    kind: 'image.convert',
    holder,
    losses: 0,
    leaseUntil: now + 10,
  })

  it('keeps a job with a holder that extended its lease while it was being given up', async () => {
    await bench.addImage(bench.create(), 'one')
    const job = await claim('alive')
    if (!job) throw new Error('nothing was claimed')
    await transitions.extendLeases(database, [job], now + 20)
    expect(await transitions.requeue(database, lost(job), 'no')).toBe(false)
    expect(await bench.job()).toMatchObject({ state: 'active', lease_until: now + 20 })
  })

  it('is asked by an idle queue at its polls only', async () => {
    const pollMs = 20
    const counted = countStatements(database)
    const queue = bench.create({ database: counted.database, pollMs, leaseMs: 3_600_000 })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    queue.handle({ kind: 'storage.remove', run: async () => {} })
    const startedAt = performance.now()
    await queue.start()
    await waitFor(() => counted.statements.filter(isClaim).length >= 20, { intervalMs: 5 })
    const polls = Math.ceil((performance.now() - startedAt) / (pollMs - 1)) + 1
    expect(counted.statements.filter(isClaim).length).toBeLessThanOrEqual(polls * 2)
    const others = counted.statements.filter((statement) => !isClaim(statement))
    expect(others.length).toBeLessThanOrEqual(3)
  })

  it('can be away for a while without stopping the queue', async () => {
    const gate = Promise.withResolvers<void>()
    const queue = bench.create({ pollMs: 50 })
    queue.handle({ kind: 'image.convert', run: () => gate.promise })
    await bench.addImage(queue, 'running')
    await queue.start()
    await bench.jobIn('active')
    await sql`alter table jobs rename to elsewhere`.execute(database.queries)
    gate.resolve()
    const troubles = () => new Set(bench.reportsOf('trouble').map(({ doing }) => doing))
    await waitFor(() => troubles().has('claim') && troubles().has('acknowledge'))
    await sql`alter table elsewhere rename to jobs`.execute(database.queries)
    await bench.addImage(queue, 'next')
    await waitFor(() => bench.reportsOf('done').length === 2)
  })

  it.runIf(target.name === 'postgres')('is found again after connections were cut', async () => {
    const cut = openDatabase(opened.fresh.target)
    const queue = bench.create({ database: cut })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    await queue.start()
    for (let round = 1; round <= 3; round++) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(database.queries)
      await bench.addImage(queue, `image ${round}`)
      await waitFor(() => bench.reportsOf('done').length === round)
    }
    await queue.stop(0)
    await cut.close()
  })

  it.runIf(target.name === 'sqlite')('is searched by index alone', async () => {
    const { claimStatement } = transitions
    const by = { kind: 'image.convert', holder, token: 'token', now, leaseUntil: now } as const
    const plan = await queryPlan(claimStatement(database, by))
    expect(plan.join('\n')).toContain('jobs_to_claim (kind=?)')
    expect(plan.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([])
  })

  async function queryPlan(statement: Compilable): Promise<string[]> {
    const compiled = statement.compile()
    const explain = { ...compiled, sql: `explain query plan ${compiled.sql}` }
    const { rows } = await database.queries.executeQuery(explain)
    return rows.map((row) => JSON.stringify(row))
  }
})

const isClaim = (statement: string) =>
  /^update "jobs" set "state" = .*"attempts" \+/.test(statement)
