/** What `npm run reconvert` does beside a server that works on the same database. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CarryOutOptions, carryOut } from '../../scripts/reconvert/carry-out.ts'
import { type Errand, failedErrand, presetErrand } from '../../scripts/reconvert/errands.ts'
import type { Preset } from '../../src/conversion/contract.ts'
import { AppError } from '../../src/errors.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import { png } from '../fixtures/images.ts'
import { databaseTargets } from '../support/databases.ts'
import { type ImageBench, imageBench } from '../support/image-bench.ts'
import { testPreset } from '../support/presets.ts'
import { QueueBench } from '../support/queues.ts'
import { startDisk } from '../support/storage.ts'

const box = testPreset()
const wider = testPreset({ width: 11 })

describe.each(databaseTargets)('making renditions anew of all images on $name', (target) => {
  let bench: ImageBench
  let servers: QueueBench
  let queue: JobQueue
  let progress: number[]

  beforeEach(async () => {
    bench = await imageBench({ target, backend: { start: startDisk }, presets: [box] })
    servers = new QueueBench(bench.database)
    queue = await servers.create()
    progress = []
  })
  afterEach(async () => {
    await servers.stop()
    await bench.cleanup()
  })

  /** Images of different bytes, ready or failed. */
  async function images(count: number): Promise<string[]> {
    const ids: string[] = []
    for (let side = 1; side <= count; side += 1) {
      ids.push(await bench.arrived(await png({ width: side, height: 5 })))
    }
    await bench.work()
    return ids
  }
  /** A server with these presets. */
  async function serve(...presets: Preset[]): Promise<void> {
    const server = await servers.create()
    const { converting, reconverting } = bench.handlers({ presets })
    server.handle(converting)
    server.handle(reconverting)
    await server.start()
  }
  const run = (errand: Errand, given: Partial<CarryOutOptions> = {}) =>
    carryOut(errand, {
      database: bench.database,
      queue,
      onProgress: (done) => progress.push(done),
      onSilence: () => {},
      ...{ pageSize: 2, mostQueued: 4, pollMs: 5 },
      ...given,
    })
  const anew = (preset: Preset) => presetErrand({ database: bench.database, queue }, preset)
  const revisions = async (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await bench.find(id))?.renditions[0]?.revision))

  it('does it once for each, few at a time, and then has nothing left to do', async () => {
    const ids = await images(7)
    await serve(wider)
    let mostQueued = 0
    const { administration } = queue
    const depth = async () => {
      const all = await administration.depth()
      const now = all.find(({ kind }) => kind === 'image.reconvert')
      // A job that runs may be done with its image, which makes room for another one.
      mostQueued = Math.max(mostQueued, now?.queued ?? 0)
      return all
    }
    expect(await anew(box).count()).toBe(0)
    expect(await anew(wider).count()).toBe(7)
    const outcome = await run(anew(wider), {
      queue: { administration: { ...administration, depth } },
    })
    expect(outcome).toEqual({ done: 7, inVain: 0, untouched: 0, died: 0 })
    expect(await revisions(ids)).toEqual(Array(7).fill(2))
    expect(progress.at(-1)).toBe(7)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(mostQueued).toBeGreaterThan(0)
    expect(mostQueued).toBeLessThanOrEqual(4)
    expect(await anew(wider).count()).toBe(0)
    expect(await run(anew(wider))).toMatchObject({ done: 0, untouched: 0 })
    expect(await revisions(ids)).toEqual(Array(7).fill(2))
  })

  it('has nothing to do for what moves and has fewer formats for that', async () => {
    const moving = testPreset({ formats: ['avif', 'webp'], animated: true })
    bench.originals.move = true
    await bench.arrived(await png())
    await bench.work({ presets: [moving] })
    expect(await anew(moving).count()).toBe(0)
    expect(await anew({ ...moving, width: 11 }).count()).toBe(1)
  })

  it('waits for a server, says so, and queues nothing twice when it is begun again', async () => {
    const ids = await images(2)
    const errand = anew(wider)
    await bench.database.transaction((trx) => errand.queue(trx, ids[0] ?? ''))
    await bench.database.transaction((trx) => errand.queue(trx, ids[0] ?? ''))
    let silences = 0
    const onSilence = () => {
      silences += 1
      if (silences === 1) void serve(wider)
    }
    expect(await run(errand, { onSilence, silentMs: 1 })).toMatchObject({ done: 2, died: 0 })
    expect(silences).toBeGreaterThan(0)
    const jobs = (await servers.jobs()).filter(({ kind }) => kind === 'image.reconvert')
    expect(jobs).toHaveLength(2)
    expect(jobs.map(({ priority }) => priority)).toEqual([-10, -10])
  })

  it('says how many the server has left, as it has other presets', async () => {
    await images(3)
    await serve(box)
    expect(await run(anew(wider))).toEqual({ done: 0, inVain: 0, untouched: 3, died: 0 })
  })

  it('says how many jobs died', async () => {
    await images(2)
    await serve(wider)
    bench.during.conversion = () => {
      bench.during.conversion = async () => undefined
      return Promise.reject(new AppError('image-too-large', 422, 'It needs 5 GiB.'))
    }
    expect(await run(anew(wider))).toEqual({ done: 1, inVain: 0, untouched: 1, died: 1 })
  })

  it('tries those again that failed by one reason', async () => {
    const failing = (code: string) => {
      bench.during.conversion = () => Promise.reject(new AppError(code, 422, 'It does not go.'))
    }
    failing('corrupt-image')
    const [corrupt = ''] = await images(1)
    failing('image-too-large')
    const ids = await images(3)
    bench.during.conversion = () => {
      bench.during.conversion = async () => undefined
      return Promise.reject(new AppError('image-too-large', 422, 'It is too large for good.'))
    }
    await serve(box)
    const errand = failedErrand({ database: bench.database, queue }, 'image-too-large')
    expect(await errand.count()).toBe(3)
    expect(await run(errand)).toEqual({ done: 2, inVain: 1, untouched: 0, died: 0 })
    const states = await Promise.all(ids.map(async (id) => (await bench.find(id))?.state))
    expect(states.toSorted()).toEqual(['failed', 'ready', 'ready'])
    expect(await bench.find(corrupt)).toMatchObject({ error: { code: 'corrupt-image' } })
  })
})
