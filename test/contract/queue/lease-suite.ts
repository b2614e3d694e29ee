import { expect, it } from 'vitest'
import { createInstance } from '../../../src/operations/instance.ts'
import { PermanentJobError } from '../../../src/queue/contract.ts'
import { meddle, stealLeases } from '../../support/queue-rows.ts'
import { aborted, type QueueBench } from '../../support/queues.ts'
import { waitFor } from '../../support/wait.ts'

const leaseMs = 200
const gone = createInstance({ host: 'elsewhere' }).holder

/** What holds when a process that runs a job goes silent or away. */
export function leaseSuite(bench: () => QueueBench): void {
  /** A job that another process claimed and never finished. */
  async function abandonedJob(holder: string, imageId = 'one'): Promise<void> {
    await bench().addImage(await bench().create(), imageId)
    const instance = { holder, isDeadHolder: () => false }
    const store = await bench().store({ instance, leaseMs })
    expect(await store.claim('image.convert')).toMatchObject({ attempts: 1, holder })
  }

  it('keeps a job for as long as its process gives signs of life', async () => {
    const gate = Promise.withResolvers<void>()
    let runs = 0
    const queues = [await bench().create({ leaseMs }), await bench().create({ leaseMs })]
    for (const queue of queues) {
      queue.handle({
        kind: 'image.convert',
        run() {
          runs++
          return gate.promise
        },
      })
      await queue.start()
    }
    await bench().addImage(queues[0] ?? (await bench().create()), 'long')
    await bench().jobIn('active')
    for (let step = 0; step < 6; step++) {
      await bench().clock.advance(leaseMs - 50)
      const until = bench().clock.now() + leaseMs
      await waitFor(async () => (await bench().job()).lease_until === until, { intervalMs: 5 })
    }
    gate.resolve()
    expect(await bench().jobIn('done')).toMatchObject({ attempts: 1 })
    expect(runs).toBe(1)
  })

  it('runs a job again whose lease has run out, and none before', async () => {
    await abandonedJob(gone, 'expired')
    await bench().clock.advance(1)
    await abandonedJob(gone, 'held')
    await bench().clock.advance(leaseMs - 1)
    const ran: [string, number][] = []
    const queue = await bench().create({ leaseMs })
    queue.handle({
      kind: 'image.convert',
      run: async ({ imageId }, { number }) => void ran.push([imageId, number]),
    })
    await queue.start()
    await waitFor(() => bench().reportsOf('done').length === 1)
    expect(ran).toEqual([['expired', 2]])
    expect((await bench().jobs()).map((job) => job.state)).toEqual(['done', 'active'])
    expect(bench().reportsOf('recovered')).toMatchObject([{ holder: gone, attempt: 1 }])
  })

  it('looks for leases that run out while it works', async () => {
    await abandonedJob(gone)
    const queue = await bench().create({ leaseMs })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    queue.handle({ kind: 'storage.remove', run: async () => {} })
    await queue.start()
    await bench().add(queue, 'storage.remove', { keys: [] })
    await waitFor(() => bench().reportsOf('done').length === 1)
    await bench().clock.advance(leaseMs)
    expect(await bench().finished()).toMatchObject([{ attempts: 2 }, { attempts: 1 }])
  })

  it('does not hold it against a job when the process that ran it went away', async () => {
    await abandonedJob(gone)
    await meddle(bench().database, { maxAttempts: 1 })
    await bench().clock.advance(leaseMs)
    const queue = await bench().create({ leaseMs })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    await queue.start()
    expect(await bench().jobIn('done')).toMatchObject({ attempts: 2, losses: 1 })
  })

  it('makes a job dead that a hundred processes did not survive', async () => {
    await abandonedJob(gone)
    await meddle(bench().database, { losses: 100 })
    await bench().clock.advance(leaseMs)
    const dead: string[] = []
    const queue = await bench().create({ leaseMs })
    queue.handle({
      kind: 'image.convert',
      run: async () => {},
      onDead: async (_trx, { imageId }, reason) => void dead.push(`${imageId}: ${reason}`),
    })
    await queue.start()
    const reason = 'every process that ran it went away'
    expect(await bench().jobIn('dead')).toMatchObject({ attempts: 1, last_error: reason })
    expect(dead).toEqual([`one: ${reason}`])
  })

  it('takes over at once from a process that is provably dead', async () => {
    const before = createInstance({ pid: 1 })
    const after = createInstance({ pid: 1 })
    await abandonedJob(before.holder, 'mine')
    await abandonedJob(gone, "another host's")
    const queue = await bench().create({ instance: after })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    await queue.start()
    await waitFor(() => bench().reportsOf('done').length === 1)
    expect((await bench().jobs()).map((job) => job.state)).toEqual(['done', 'active'])
  })

  it('tells a handler that its lease is lost, and does not record how it ends', async () => {
    const queue = await bench().create({ leaseMs })
    const ended = Promise.withResolvers<void>()
    queue.handle({
      kind: 'image.convert',
      async run(_payload, { signal }) {
        await aborted(signal)
        ended.resolve()
        throw new PermanentJobError('must not be seen')
      },
    })
    await bench().addImage(queue, 'one')
    await queue.start()
    await bench().jobIn('active')
    await stealLeases(bench().database)
    const theirs = await bench().job()
    await ended.promise
    await queue.stop(60_000)
    expect(await bench().job()).toEqual({ ...theirs, last_error: null })
    expect(bench().reportsOf('lease-lost')).toHaveLength(1)
  })

  it('changes nothing when a holder ends that does not know it lost its lease', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let runs = 0
    const hour = { leaseMs: 3_600_000, concurrency: { 'image.convert': 1 } }
    const queue = await bench().create(hour)
    const other = await bench().create(hour)
    for (const each of [queue, other]) {
      each.handle({ kind: 'image.convert', run: async () => gates[runs++]?.promise })
    }
    await bench().addImage(queue, 'one')
    await queue.start()
    await waitFor(() => runs === 1)
    await bench().clock.advance(7_200_000)
    await other.start()
    await waitFor(() => runs === 2)
    const held = await bench().job()
    gates[0]?.reject(new PermanentJobError('too late'))
    await waitFor(() => bench().reportsOf('lease-lost').length === 1)
    expect(await bench().job()).toEqual(held)
    gates[1]?.resolve()
    expect(await bench().jobIn('done')).toMatchObject({ attempts: 2 })
  })
}
