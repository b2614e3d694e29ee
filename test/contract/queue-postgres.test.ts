import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../src/database/database.ts'
import { type JobQueue, PermanentJobError } from '../../src/queue/contract.ts'
import { depthStatement } from '../../src/queue/postgres/shelf.ts'
import { oldStatement } from '../../src/queue/postgres/statements.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { copyJob } from '../support/queue-rows.ts'
import { QueueBench } from '../support/queues.ts'
import { waitFor } from '../support/wait.ts'

const target = databaseTargets.find(({ name }) => name === 'postgres')

describe('pg-boss in PostgreSQL', () => {
  let opened: TestDatabase
  let bench: QueueBench

  beforeEach(async () => {
    if (!target) throw new Error('there is no PostgreSQL')
    opened = await target.create()
    bench = new QueueBench(opened.database)
  })
  afterEach(async () => {
    await bench.stop()
    await opened.cleanup()
  })

  /** For what somebody else has locked. */
  const someoneWaits = () =>
    waitFor(async () => {
      const { rows } = await sql`select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(
        opened.database.queries,
      )
      return rows.length > 0
    })

  it('takes jobs right after it was made, also when all connections are in transactions', async () => {
    const queue = await bench.create()
    const allInside = Promise.withResolvers<void>()
    let inside = 0
    const one = (imageId: string) =>
      opened.database.transaction(async (trx) => {
        inside += 1
        if (inside === 10) allInside.resolve()
        await allInside.promise
        await queue.enqueue(trx, 'image.convert', { imageId })
      })
    await Promise.all(Array.from({ length: 10 }, (_, n) => one(String(n))))
    expect(await bench.jobs()).toHaveLength(10)
  })

  it('is prepared by a role that may only use it, once another one has made it', async () => {
    await bench.create()
    await using user = await userOf(opened)
    const queue = await new QueueBench(user.database).create()
    await bench.addImage(queue, 'one')
    await queue.stop(0)
    expect(await bench.jobs()).toHaveLength(1)
  })

  it('refuses to try a dead job again while another one with its key is just being added', async () => {
    const queue = await bench.create()
    const { database } = opened
    const failing = () => Promise.reject(new PermanentJobError('no'))
    queue.handle({ kind: 'image.convert', run: failing })
    await queue.start()
    await bench.addImage(queue, 'dead', { dedupeKey: 'key' })
    const { id } = await bench.jobIn('dead')
    await queue.stop(0)
    const retried = await database.transaction(async (trx) => {
      await queue.enqueue(trx, 'image.convert', { imageId: 'other' }, { dedupeKey: 'key' })
      const outcome = queue.administration.retry(id).catch((error: unknown) => error)
      await someoneWaits()
      return { outcome }
    })
    expect(await retried.outcome).toMatchObject({ code: 'job-duplicate', status: 409 })
    const states = (await bench.jobs()).map(({ state }) => state)
    expect(states).toEqual(['dead', 'queued'])
  })

  it('finds a job that is written anew at the very moment it is asked for', async () => {
    const queue = await bench.create()
    await bench.addImage(queue, 'one')
    const { id } = await bench.job()
    const discarded = await opened.database.transaction(async (trx) => {
      // As pg-boss does it when an attempt fails.
      await sql`with gone as (delete from landfall_queue.job_common returning *)
        insert into landfall_queue.job_common select * from gone`.execute(trx)
      const outcome = queue.administration.discard(id).catch((error: unknown) => error)
      await someoneWaits()
      return { outcome }
    })
    expect(await discarded.outcome).toBeUndefined()
    expect(await bench.jobs()).toEqual([])
  })

  it('is counted without looking at every job for every state', async () => {
    const queue = await bench.create()
    await bench.addImage(queue, 'one')
    const { queries } = opened.database
    const count = 5_000
    await copyJob(opened.database, count)
    await sql`update landfall_queue.job_common set state = 'completed', completed_on = now()`.execute(
      queries,
    )
    await sql`analyze landfall_queue.job_common`.execute(queries)
    const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: Node }] }>`
      explain (analyze, format json) ${depthStatement()}`.execute(queries)
    const plan = rows[0]?.['QUERY PLAN'][0].Plan
    expect(plan && rowsLookedAt(plan)).toBeLessThan(2 * count)
  })

  it('is searched for jobs to forget among those that are old enough', async () => {
    const queue = await bench.create()
    await manyImages(queue, 2_000)
    const { queries } = opened.database
    await sql`update landfall_queue.job_common set state = 'completed', completed_on = now()`.execute(
      queries,
    )
    await sql`analyze landfall_queue.job_common`.execute(queries)
    const old = oldStatement('image.convert', Date.now() - 86_400_000, 500)
    const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: Node }] }>`
      explain (analyze, format json) ${old}`.execute(queries)
    const plan = rows[0]?.['QUERY PLAN'][0].Plan
    expect(plan && rowsLookedAt(plan)).toBe(0)
  })

  const manyImages = (queue: JobQueue, count: number) =>
    opened.database.transaction(async (trx) => {
      for (let n = 0; n < count; n += 1) {
        await queue.enqueue(trx, 'image.convert', { imageId: String(n) })
      }
    })
})

/** Of a plan of PostgreSQL. */
interface Node {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Node[]
}

function rowsLookedAt(node: Node): number {
  const { 'Actual Rows': found, 'Rows Removed by Filter': passedBy = 0 } = node
  const own = node['Relation Name'] === 'job_common' ? (found + passedBy) * node['Actual Loops'] : 0
  return (node.Plans ?? []).reduce((sum, child) => sum + rowsLookedAt(child), own)
}

/** A role that may read and write rows, and nothing else. */
async function userOf({ fresh }: TestDatabase): Promise<{ database: Database } & AsyncDisposable> {
  if (fresh.target.kind !== 'postgres') throw new Error('there is no PostgreSQL')
  const role = `landfall_user_${randomBytes(4).toString('hex')}`
  const url = new URL(fresh.target.url)
  const owner = new pg.Client({ connectionString: url.href })
  await owner.connect()
  await owner.query(`
    create role ${role} login password 'secret';
    grant usage on schema public, landfall_queue to ${role};
    grant select, insert, update, delete on all tables in schema public, landfall_queue to ${role}`)
  url.username = role
  url.password = 'secret'
  const database = openDatabase({ kind: 'postgres', url: url.href })
  return {
    database,
    async [Symbol.asyncDispose]() {
      await database.close()
      await owner.query(`drop owned by ${role}; drop role ${role}`)
      await owner.end()
    },
  }
}
