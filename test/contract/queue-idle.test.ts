import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { countStatements, isClaim, tapStatements } from '../support/statements.ts'
import { waitFor } from '../support/wait.ts'

const soon = { intervalMs: 1 }
/** Longer than any test: what happens is not the regular look's doing. */
const never = 3_600_000
const notByItself = { pollMs: never, leaseMs: never }

describe.each(databaseTargets)('a queue that found nothing on $name', (target) => {
  let opened: TestDatabase
  let bench: QueueBench
  let counted: ReturnType<typeof countStatements>

  beforeEach(async () => {
    opened = await target.create()
    bench = await QueueBench.open(opened.database)
    counted = countStatements(opened.database)
  })
  afterEach(async () => {
    await bench.stop()
    await opened.cleanup()
  })

  const claims = () => counted.statements.filter(isClaim).length
  const done = (jobs: number) => waitFor(() => bench.reportsOf('done').length === jobs, soon)

  async function addAndWake(queue: JobQueue, imageId: string): Promise<void> {
    await bench.addImage(queue, imageId)
    queue.wake('image.convert')
  }

  /** A queue that works on images and has found none, as it counts what it asks the database. */
  async function idle(
    run: (imageId: string) => Promise<void>,
    options: { pollMs?: number; database?: Database; concurrency?: number } = {},
  ): Promise<JobQueue> {
    const { concurrency = 2, ...others } = options
    const queue = await bench.create({
      ...notByItself,
      database: counted.database,
      concurrency: { 'image.convert': concurrency },
      ...others,
    })
    queue.handle({ kind: 'image.convert', run: ({ imageId }) => run(imageId) })
    await queue.start()
    await waitFor(() => claims() >= 1, soon)
    return queue
  }

  it('does not look again when a job ends, until it is woken', async () => {
    // The first one, then two for each wake: one finds the job and the other nothing.
    let expected = 1
    const queue = await idle(() => waitFor(() => claims() === expected, soon).then(() => {}))
    for (let jobs = 1; jobs <= 3; jobs += 1) {
      expected += 2
      await addAndWake(queue, `image ${jobs}`)
      await done(jobs)
    }
    await queue.stop(0)
    expect(claims()).toBe(expected)
  })

  it('looks when a job ends if there may be more, however often it is woken', async () => {
    const gates = new Map<string, () => void>()
    const hold = (imageId: string) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      gates.set(imageId, resolve)
      return promise
    }
    const queue = await idle(hold)
    await addAndWake(queue, 'held')
    await waitFor(() => gates.has('held') && claims() === 3, soon)
    // It is idle by now, with one job running and room for one more.
    for (const imageId of ['second', 'third', 'fourth']) await bench.addImage(queue, imageId)
    queue.wake('image.convert')
    for (const [index, imageId] of ['second', 'third', 'fourth'].entries()) {
      await waitFor(() => gates.has(imageId), soon)
      gates.get(imageId)?.()
      await done(index + 1)
    }
    gates.get('held')?.()
    await done(4)
  })

  it('does not miss what it is told of while it looks', async () => {
    const held = holdResults(counted.database, isClaim)
    const ran: string[] = []
    const run = async (imageId: string) => void ran.push(imageId)
    const queue = await idle(run, { database: held.database })
    const { release } = await held.next()
    await addAndWake(queue, 'meanwhile')
    release()
    held.letAllPass()
    await done(1)
    expect(ran).toEqual(['meanwhile'])
  })

  it('gives back what it finds while it is being stopped', async () => {
    const held = holdResults(counted.database, isClaim)
    const ran: string[] = []
    const queue = await idle(async (imageId) => void ran.push(imageId), { database: held.database })
    const empty = await held.next()
    await addAndWake(queue, 'late')
    empty.release()
    const found = await held.next()
    expect(await bench.job()).toMatchObject({ state: 'active' })
    const stopped = queue.stop(10_000)
    found.release()
    held.letAllPass()
    await stopped
    expect(ran).toEqual([])
    expect(await bench.job()).toMatchObject({ state: 'queued', attempts: 0, lease_token: null })
  })

  it('finds what another process added, and what it may try again, when it looks by itself', async () => {
    let fails = true
    const ran: string[] = []
    const queue = await idle(
      async (imageId) => {
        ran.push(imageId)
        if (imageId === 'again' && fails) throw new Error('no')
      },
      { pollMs: 20 },
    )
    await addAndWake(queue, 'first')
    await done(1)
    const another = await bench.create()
    await bench.addImage(another, 'of another')
    await done(2)
    await bench.addImage(another, 'again')
    await waitFor(() => bench.reportsOf('retry').length === 1, soon)
    fails = false
    await bench.clock.advance(bench.reportsOf('retry')[0]?.delayMs ?? 0)
    await done(3)
    expect(ran).toEqual(['first', 'of another', 'again', 'again'])
  })

  it('goes on after a look that failed', async () => {
    const held = holdResults(counted.database, isClaim)
    const queue = await idle(async () => {}, { database: held.database, pollMs: 20 })
    const { fail } = await held.next()
    queue.wake('image.convert')
    fail(new Error('the database is away'))
    held.letAllPass()
    await bench.addImage(queue, 'after it')
    await done(1)
    expect(bench.reportsOf('trouble')).toMatchObject([{ doing: 'claim' }])
  })
})

interface HeldResult {
  readonly release: () => void
  readonly fail: (error: Error) => void
}

/** The same database, which keeps the results of some statements until it is told to pass them on. */
function holdResults(database: Database, isHeld: (statement: string) => boolean) {
  const held: HeldResult[] = []
  let passing = false
  let taken = 0
  const tapped = tapStatements(database, async (statement) => {
    if (passing || !isHeld(statement)) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    held.push({ release: resolve, fail: reject })
    await promise
  })
  return {
    database: tapped,
    /** The next result that is kept, once there is one. */
    next: () => waitFor(() => held[taken], soon).finally(() => (taken += 1)),
    /** From now on nothing is kept; what was stays so. */
    letAllPass() {
      passing = true
    },
  }
}
