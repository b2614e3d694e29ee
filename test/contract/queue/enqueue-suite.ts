import { expect, it } from 'vitest'
import { copyJob } from '../../support/queue-rows.ts'
import type { QueueBench } from '../../support/queues.ts'
import { countRows } from '../../support/statements.ts'
import { waitFor } from '../../support/wait.ts'

/** What holds for adding jobs and for the order in which they run. */
export function enqueueSuite(bench: () => QueueBench): void {
  it('runs jobs by priority, equal ones oldest first', async () => {
    const ran: string[] = []
    const queue = await bench().create({ concurrency: { 'image.convert': 1 } })
    queue.handle({ kind: 'image.convert', run: async ({ imageId }) => void ran.push(imageId) })
    await bench().addImage(queue, 'first')
    await bench().addImage(queue, 'second')
    await bench().addImage(queue, 'low', { priority: -1 })
    await bench().addImage(queue, 'high', { priority: 5 })
    await bench().addImage(queue, 'third')
    await queue.start()
    await bench().finished()
    expect(ran).toEqual(['high', 'first', 'second', 'third', 'low'])
  })

  it('adds no job when the transaction is rolled back', async () => {
    const queue = await bench().create()
    const work = bench().database.transaction(async (trx) => {
      await queue.enqueue(trx, 'image.convert', { imageId: 'never' })
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    expect(await bench().jobs()).toEqual([])
  })

  it('drops a job whose key belongs to an unfinished one of its kind', async () => {
    const queue = await bench().create()
    await bench().addImage(queue, 'one', { dedupeKey: 'key' })
    await bench().addImage(queue, 'two', { dedupeKey: 'key' })
    await bench().addImage(queue, 'three', { dedupeKey: 'other' })
    await bench().add(queue, 'storage.remove', { keys: [] }, { dedupeKey: 'key' })
    await bench().addImage(queue, 'four')
    await bench().addImage(queue, 'five')
    const payloads = (await bench().jobs()).map((job) => job.payload)
    expect(payloads).toEqual([
      '{"imageId":"one"}',
      '{"imageId":"three"}',
      '{"keys":[]}',
      '{"imageId":"four"}',
      '{"imageId":"five"}',
    ])
  })

  it('leaves the transaction usable after a job was dropped', async () => {
    const queue = await bench().create()
    await bench().database.transaction(async (trx) => {
      await queue.enqueue(trx, 'image.convert', { imageId: 'one' }, { dedupeKey: 'key' })
      await queue.enqueue(trx, 'image.convert', { imageId: 'two' }, { dedupeKey: 'key' })
      await queue.enqueue(trx, 'image.convert', { imageId: 'three' })
    })
    expect(await bench().jobs()).toHaveLength(2)
  })

  it('keeps a key while the job runs and frees it when the job is finished', async () => {
    const gate = Promise.withResolvers<void>()
    const queue = await bench().create()
    queue.handle({ kind: 'image.convert', run: () => gate.promise })
    await queue.start()
    await bench().addImage(queue, 'one', { dedupeKey: 'key' })
    await bench().jobIn('active')
    await bench().addImage(queue, 'two', { dedupeKey: 'key' })
    expect(await bench().jobs()).toHaveLength(1)
    gate.resolve()
    await bench().finished()
    await bench().addImage(queue, 'three', { dedupeKey: 'key' })
    expect(await bench().jobs()).toHaveLength(2)
  })

  it('does not run a job before its time', async () => {
    const ran: string[] = []
    const queue = await bench().create()
    queue.handle({ kind: 'image.convert', run: async ({ imageId }) => void ran.push(imageId) })
    await bench().addImage(queue, 'later', { runAt: bench().clock.now() + 1_000, priority: 9 })
    await bench().addImage(queue, 'now')
    await queue.start()
    await waitFor(() => bench().reportsOf('done').length === 1)
    await bench().clock.advance(999)
    await bench().addImage(queue, 'still now')
    await waitFor(() => bench().reportsOf('done').length === 2)
    expect(ran).toEqual(['now', 'still now'])
    await bench().clock.advance(1)
    await bench().finished()
    expect(ran).toEqual(['now', 'still now', 'later'])
  })

  it('runs a job added while idle when woken, without waiting for the poll', async () => {
    const queue = await bench().create({ pollMs: 3_600_000 })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    await queue.start()
    await bench().addImage(queue, 'one')
    queue.wake()
    await bench().finished()
    await bench().addImage(queue, 'two')
    queue.wake()
    await bench().finished()
  })

  it('leaves kinds without a handler to others', async () => {
    const queue = await bench().create()
    queue.handle({ kind: 'storage.remove', run: async () => {} })
    await bench().addImage(queue, 'for others')
    await bench().add(queue, 'storage.remove', { keys: ['a'] })
    await queue.start()
    await waitFor(() => bench().reportsOf('done').length === 1)
    const states = (await bench().jobs()).map((job) => [job.kind, job.state, job.attempts])
    expect(states).toEqual([
      ['image.convert', 'queued', 0],
      ['storage.remove', 'done', 1],
    ])
  })

  it('does not let a slow kind hold up another', async () => {
    const gate = Promise.withResolvers<void>()
    const queue = await bench().create({ concurrency: { 'image.convert': 1, 'storage.remove': 1 } })
    queue.handle({ kind: 'image.convert', run: () => gate.promise })
    queue.handle({ kind: 'storage.remove', run: async () => {} })
    for (const id of ['a', 'b', 'c']) await bench().addImage(queue, id, { priority: 9 })
    await bench().add(queue, 'storage.remove', { keys: [] })
    await queue.start()
    await waitFor(() =>
      bench()
        .reportsOf('done')
        .some(({ kind }) => kind === 'storage.remove'),
    )
    gate.resolve()
    await bench().finished()
  })

  it('runs no more at once than it may, and claims no more than it runs', async () => {
    let running = 0
    let most = 0
    let mostClaimed = 0
    const full = Promise.withResolvers<void>()
    const queue = await bench().create({ concurrency: { 'image.convert': 3 } })
    queue.handle({
      kind: 'image.convert',
      async run() {
        most = Math.max(most, ++running)
        if (running === 3) full.resolve()
        await full.promise
        const active = (await bench().jobs()).filter((job) => job.state === 'active')
        mostClaimed = Math.max(mostClaimed, active.length)
        running--
      },
    })
    for (let i = 0; i < 12; i++) await bench().addImage(queue, `image ${i}`)
    await queue.start()
    await bench().finished()
    expect([most, mostClaimed]).toEqual([3, 3])
  })

  it('reads no more of 5,000 jobs that wait than it runs', async () => {
    const { database, seen } = countRows(bench().database)
    const queue = await bench().create({ database, concurrency: { 'image.convert': 2 } })
    await bench().addImage(queue, 'many times')
    await copyJob(bench().database, 4_999)
    const gate = Promise.withResolvers<void>()
    let running = 0
    queue.handle({
      kind: 'image.convert',
      run() {
        running += 1
        return gate.promise
      },
    })
    const before = seen()
    await queue.start()
    await waitFor(() => running === 2)
    await queue.stop(0)
    const rows = seen() - before
    gate.resolve()
    expect(rows).toBeGreaterThanOrEqual(2)
    expect(rows).toBeLessThanOrEqual(30)
    const [depth] = await queue.administration.depth()
    expect(depth).toMatchObject({ queued: 5_000, active: 0 })
  })

  it('runs each of many jobs once when two queues share them', async () => {
    const ran: string[] = []
    const count = 300
    const queues = [await bench().create(), await bench().create()]
    for (const queue of queues) {
      queue.handle({ kind: 'image.convert', run: async ({ imageId }) => void ran.push(imageId) })
    }
    const ids = Array.from({ length: count }, (_, i) => `image ${i}`)
    await bench().database.transaction(async (trx) => {
      for (const imageId of ids) await queues[0]?.enqueue(trx, 'image.convert', { imageId })
    })
    await Promise.all(queues.map((queue) => queue.start()))
    await bench().finished()
    expect(ran.toSorted()).toEqual(ids.toSorted())
  })
}
