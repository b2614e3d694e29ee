import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { waitFor } from '../support/wait.ts'

const target = databaseTargets.find(({ name }) => name === 'postgres')

/** As a release before pg-boss left jobs in PostgreSQL. */
const old = {
  kind: 'image.convert',
  payload: '{"imageId":"one"}',
  dedupe_key: null as string | null,
  priority: 0,
  state: 'queued' as 'queued' | 'active' | 'done' | 'dead',
  attempts: 0,
  max_attempts: 8,
  run_at: 1,
  created_at: 1,
  finished_at: null as number | null,
  last_error: null as string | null,
  lease_holder: null as string | null,
  lease_token: null as string | null,
  lease_until: null as number | null,
}

describe('jobs that an older release left in PostgreSQL', () => {
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

  async function leave(...jobs: Partial<typeof old>[]): Promise<string[]> {
    const rows = jobs.map((job) => ({ id: newId(), ...old, ...job }))
    await opened.database.queries.insertInto('jobs').values(rows).execute()
    return rows.map(({ id }) => id)
  }

  const left = () => opened.database.queries.selectFrom('jobs').select('id').execute()

  it('are carried over as they were, once, also by several processes', async () => {
    const ids = await leave(
      { dedupe_key: 'key', priority: 3, attempts: 2, run_at: 5, last_error: 'no' },
      { state: 'dead', dedupe_key: 'key', attempts: 8, finished_at: 7, last_error: 'broken' },
      { kind: 'of.another-release', payload: 'nonsense' },
      { state: 'done', finished_at: 7 },
    )
    const [queue] = await Promise.all([bench.create(), bench.create(), bench.create()])
    expect(await left()).toEqual([])
    const find = (index: number) => queue.administration.find(ids[index] ?? '')
    expect(await find(0)).toMatchObject({
      state: 'queued',
      payload: { imageId: 'one' },
      priority: 3,
      attempts: 2,
      maxAttempts: 8,
      createdAt: 1,
      runAt: 5,
      lastError: 'no',
    })
    expect(await find(1)).toMatchObject({
      state: 'dead',
      attempts: 8,
      finishedAt: 7,
      lastError: 'broken',
    })
    expect(await find(2)).toMatchObject({ kind: 'of.another-release', payload: 'nonsense' })
    expect(await find(3)).toBeUndefined()
    expect(await bench.jobs()).toHaveLength(3)
    await bench.addImage(queue, 'with the same key', { dedupeKey: 'key' })
    expect(await bench.jobs()).toHaveLength(3)
  })

  it('run in the order of their age, with the attempts they have left', async () => {
    const payload = (imageId: string) => JSON.stringify({ imageId })
    await leave(
      { payload: payload('first'), created_at: 1, attempts: 7 },
      { payload: payload('second'), created_at: 2 },
      { payload: payload('third'), created_at: 3 },
    )
    const queue = await bench.create({ concurrency: { 'image.convert': 1 } })
    const ran: string[] = []
    await start(queue, async (imageId) => {
      ran.push(imageId)
      if (imageId === 'first') throw new Error('again')
    })
    await bench.finished()
    expect(ran).toEqual(['first', 'second', 'third'])
    const dead = (await bench.jobs()).filter(({ state }) => state === 'dead')
    expect(dead).toMatchObject([{ payload: payload('first'), attempts: 8 }])
  })

  it('stay with a process of that release until its lease runs out', async () => {
    const lease = { lease_holder: 'there:1:x', lease_token: 't', attempts: 1 }
    const lease_until = Date.now() + 3_600_000
    await leave({ state: 'active', ...lease, lease_until })
    const queue = await bench.create({ leaseMs: 200 })
    await start(queue, async () => {})
    await leave({ payload: '{"imageId":"added by the old one later"}' })
    await waitFor(() => bench.reportsOf('done').length === 1)
    expect(await left()).toHaveLength(1)
    bench.clock.time = lease_until
    await waitFor(() => bench.reportsOf('done').length === 2)
    expect(await left()).toEqual([])
    const jobs = await bench.jobs()
    const lost = jobs.find(({ payload }) => payload === old.payload)
    expect(lost).toMatchObject({ attempts: 2, max_attempts: 9, losses: 1 })
    const found = await queue.administration.find(lost?.id ?? '')
    expect(found?.tries).toMatchObject([
      { outcome: 'lost', holder: 'there:1:x' },
      { outcome: 'done' },
    ])
  })

  it('hold up no other process while one is carrying them over', async () => {
    const queue = await bench.create()
    await leave({ dedupe_key: 'key' })
    const slow = await opened.database.transaction(async (trx) => {
      // Whether its key is free is known when this ends.
      await queue.enqueue(trx, 'image.convert', { imageId: 'one' }, { dedupeKey: 'key' })
      const preparing = bench.create()
      await waitFor(async () => {
        const { rows } = await sql`select 1 from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(
          opened.database.queries,
        )
        return rows.length > 0
      })
      await bench.create()
      return { preparing }
    })
    await slow.preparing
    expect(await bench.jobs()).toHaveLength(1)
    expect(await left()).toEqual([])
  })

  async function start(queue: JobQueue, run: (imageId: string) => Promise<void>): Promise<void> {
    queue.handle({ kind: 'image.convert', run: ({ imageId }) => run(imageId) })
    await queue.start()
  }
})
