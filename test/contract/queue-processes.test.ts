import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { createInstance } from '../../src/operations/instance.ts'
import { createQueue } from '../../src/queue/create-queue.ts'
import { Child } from '../support/child.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { waitFor } from '../support/wait.ts'

const workerFile = resolve(import.meta.dirname, '../support/queue-worker.ts')

describe.each(databaseTargets)('processes that share a queue on $name', (target) => {
  let opened: TestDatabase
  let bench: QueueBench
  let file: string

  beforeEach(async () => {
    opened = await target.create()
    bench = new QueueBench(opened.database)
    file = join(opened.fresh.directory, 'runs')
  })
  afterEach(async () => {
    await bench.stop()
    await opened.cleanup()
  })

  const startWorker = (takes: number | 'hang' = 0) =>
    new Child({
      args: [workerFile, JSON.stringify(opened.fresh.target), file, String(takes)],
      env: {},
    })

  const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [])

  /** The images that were begun with, or that were done with. */
  const images = (sign: '+' | '-' | '=') =>
    lines().flatMap((line) => (line.startsWith(sign) ? [line.slice(1)] : []))

  async function addImages(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, (_, i) => `image ${i}`)
    const queue = await bench.create()
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
    expect(images('+').toSorted()).toEqual(ids.toSorted())
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
      await waitFor(() => images('+').length === 2 * round)
      await hanging.kill('SIGKILL')
    }
    expect(await attempts()).toBe(4)

    await using worker = startWorker()
    await finished()
    expect(await attempts()).toBe(24)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect(worker.stderr).toBe('')
  })

  it('finish every job when one of them is killed in the middle of 200', async () => {
    const ids = await addImages(200)
    await using killed = startWorker(5)
    await using other = startWorker(5)
    await waitFor(() => images('-').length >= 40, { intervalMs: 5 })
    await killed.kill('SIGKILL')
    await using restarted = startWorker(5)
    await finished()
    await Promise.all([other.stop(), restarted.stop()])
    expect(new Set(images('-'))).toEqual(new Set(ids))
    // What ran again is what the one that was killed had begun with, or had not yet written down.
    expect(images('+').length - ids.length).toBeLessThanOrEqual(2)
    expect(images('-').length - ids.length).toBeLessThanOrEqual(2)
    expect(overlaps(lines())).toEqual([])
  })

  it('make the place for jobs ready at the same time', async () => {
    const others = await target.fresh()
    const database = openDatabase(others.target)
    await migrate(database)
    const args = [workerFile, JSON.stringify(others.target), file]
    const workers = Array.from({ length: 4 }, () => new Child({ args, env: {} }))
    const queue = await createQueue({ database, instance: createInstance() })
    await queue.prepare()
    await database.transaction((trx) => queue.enqueue(trx, 'image.convert', { imageId: 'one' }))
    await waitFor(() => images('-').length === 1 && images('=').length === 4)
    const exits = await Promise.all(workers.map((worker) => worker.stop()))
    expect(workers.map(({ stderr }) => stderr).join('')).toBe('')
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    await queue.stop(0)
    await database.close()
    await others.remove()
  })
})

/** Images that two processes were at work on at the same time, both of which came to their end. */
function overlaps(lines: readonly string[]): string[] {
  const running = new Set<string>()
  const found: string[] = []
  lines.forEach((line, index) => {
    const id = line.slice(1)
    const endsLater = lines.slice(index).filter((later) => later === `-${id}`).length
    if (line.startsWith('-')) running.delete(id)
    else if (running.has(id) && endsLater > 1) found.push(id)
    else running.add(id)
  })
  return found
}
