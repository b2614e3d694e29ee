import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Child } from '../support/child.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { waitFor } from '../support/wait.ts'

const workerFile = resolve(import.meta.dirname, '../support/queue-worker.ts')

describe.each(databaseTargets)('processes that share a queue on $name', (target) => {
  let opened: TestDatabase
  let bench: QueueBench
  let begunFile: string

  beforeEach(async () => {
    opened = await target.create()
    bench = new QueueBench(opened.database)
    begunFile = join(opened.fresh.directory, 'begun')
  })
  afterEach(() => opened.cleanup())

  const startWorker = (...mode: 'hang'[]) =>
    new Child({
      args: [workerFile, JSON.stringify(opened.fresh.target), begunFile, ...mode],
      env: {},
    })

  const begun = () =>
    existsSync(begunFile) ? readFileSync(begunFile, 'utf8').trimEnd().split('\n') : []

  async function addImages(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, (_, i) => `image ${i}`)
    const queue = bench.create()
    await opened.database.transaction(async (trx) => {
      for (const imageId of ids) await queue.enqueue(trx, 'image.convert', { imageId })
    })
    return ids
  }

  const finished = () =>
    waitFor(async () => {
      const states = (await bench.jobs()).map((job) => job.state)
      return states.every((state) => state === 'done')
    })

  const attempts = async () => (await bench.jobs()).reduce((sum, job) => sum + job.attempts, 0)

  it('never run the same job twice', async () => {
    const ids = await addImages(400)
    await using one = startWorker()
    await using two = startWorker()
    await finished()
    expect(begun().toSorted()).toEqual(ids.toSorted())
    const exits = await Promise.all([one.stop(), two.stop()])
    expect(exits).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
  })

  it('lose no job when one of them is killed, and go on at once after its restart', async () => {
    await addImages(20)
    for (let round = 1; round <= 2; round++) {
      await using hanging = startWorker('hang')
      await waitFor(() => begun().length === 2 * round)
      await hanging.kill('SIGKILL')
    }
    expect(await attempts()).toBe(4)

    await using worker = startWorker()
    await finished()
    expect(await attempts()).toBe(24)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect(worker.stderr).toBe('')
  })
})
