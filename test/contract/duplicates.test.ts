/** Images of the same bytes: converted once, each with a record of its own. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { twinQuery } from '../../src/images/duplicates.ts'
import { wantedOf } from '../../src/images/wanted.ts'
import { png } from '../fixtures/images.ts'
import { databaseTargets } from '../support/databases.ts'
import { type ImageBench, imageBench, imageSetups, renderedBytes } from '../support/image-bench.ts'
import { interleave } from '../support/interleaving.ts'
import { testPreset } from '../support/presets.ts'
import { backends } from '../support/storage.ts'
import { jobsOf } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

const box = testPreset({ formats: ['webp', 'avif'] })
const presets = [box, testPreset({ name: 'other' })]
const renditions = 3

describe.each(imageSetups)('images of the same bytes on $name', ({ target, backend }) => {
  let picture: Buffer
  let bench: ImageBench

  beforeAll(async () => {
    picture = await png()
  })
  beforeEach(async () => {
    bench = await imageBench({ target, backend, presets })
  })
  afterEach(() => bench.cleanup())

  const ready = async (given: object = {}) => {
    const id = await bench.arrived(picture, 1, given)
    await bench.work()
    await bench.clear()
    return id
  }
  const keysOf = async (id: string) => (await bench.find(id))?.renditions.map(({ key }) => key)
  async function expectWhole(id: string): Promise<void> {
    expect(await bench.find(id)).toMatchObject({ state: 'ready', width: 300, color: '#102030' })
    expect(await bench.contents(id)).toEqual({
      'box.webp': renderedBytes(picture, box, 'webp').toString(),
      'box.avif': renderedBytes(picture, box, 'avif').toString(),
      'other.webp': expect.any(String),
    })
  }

  it('are each ready with a record of its own, at once when they came in one request', async () => {
    const first = await ready({ filename: 'first.png' })
    const second = await bench.arrived(picture, 1, { filename: 'second.png' })
    expect(await bench.find(second)).toMatchObject({ state: 'ready', filename: 'second.png' })
    expect(await bench.find(first)).toMatchObject({ state: 'ready', filename: 'first.png' })
    expect(await jobsOf(bench.database)).toEqual([])
    expect(await bench.events()).toEqual([
      ['upload.stored', second, { size: picture.length }],
      ['image.ready', second, { renditions }],
    ])
    expect(await keysOf(second)).toEqual(await keysOf(first))
    for (const id of [first, second]) await expectWhole(id)
    expect(bench.converted).toHaveLength(1)
    await bench.expectExact()
  })

  it('are ready without being converted as soon as the job has looked at them', async () => {
    const first = await ready()
    const second = await bench.arrived(picture, 2)
    await bench.clear()
    await bench.run(second)
    await expectWhole(second)
    expect(await bench.find(second)).toMatchObject({ inLedger: (await bench.find(first))?.sha256 })
    expect(await bench.events()).toEqual([['image.ready', second, { renditions }]])
    expect(bench.converted).toHaveLength(1)
    expect(await bench.leftOver()).toEqual([])
    await bench.expectExact()
  })

  it('are shared as well where what moves has fewer formats', async () => {
    const moving = { presets: [{ ...box, animated: true }, testPreset({ name: 'other' })] }
    bench.originals.move = true
    const [first, second] = [await bench.arrived(picture, 2), await bench.arrived(picture, 2)]
    for (const id of [first, second]) await bench.handlers(moving).run(id)
    expect(bench.converted).toHaveLength(1)
    for (const id of [first, second]) {
      expect(Object.keys(await bench.contents(id))).toEqual(['box.webp', 'other.webp'])
    }
    await bench.expectExact()
  })

  it('are never shared with another owner', async () => {
    const first = await ready({ owner: 'me' })
    for (const requests of [1, 2] as const) {
      const second = await bench.arrived(picture, requests, { owner: `you-${requests}` })
      expect(await bench.find(second)).toMatchObject({ state: 'processing' })
      await bench.work()
      await expectWhole(second)
      for (const key of (await keysOf(second)) ?? []) expect(await keysOf(first)).not.toContain(key)
    }
    expect(bench.converted).toHaveLength(3)
    await bench.expectExact()
  })

  it.each([
    ['is still being converted', () => bench.arrived(picture)],
    [
      'failed',
      async () => {
        bench.during.conversion = () => Promise.reject(new AppError('corrupt-image', 422, 'no'))
        const id = await ready()
        bench.during.conversion = async () => undefined
        return id
      },
    ],
    [
      'was made by other presets',
      async () => {
        const id = await bench.arrived(picture)
        await bench.work({ presets: [{ ...box, width: 11 }, ...presets.slice(1)] })
        return id
      },
    ],
    [
      'lacks one of the presets',
      async () => {
        const id = await bench.arrived(picture)
        await bench.work({ presets: [box] })
        return id
      },
    ],
  ])('are converted when the other one %s', async (_, prepare) => {
    await prepare()
    await bench.clear()
    const before = bench.converted.length
    const second = await bench.arrived(picture)
    expect(await bench.find(second)).toMatchObject({ state: 'processing' })
    await bench.run(second)
    await expectWhole(second)
    // It takes what is whole, whichever comes first.
    await expectWhole(await bench.arrived(picture))
    expect(bench.converted).toHaveLength(before + 1)
  })

  it.each([
    ['the first, then the second', [0, 1, 2]],
    ['the last, then the first', [2, 0, 1]],
    ['the second, then the last', [1, 2, 0]],
  ])('stay whole while others go: %s', async (_, order) => {
    const ids = [await ready(), await ready(), await ready()]
    expect(bench.converted).toHaveLength(1)
    const left = new Set(ids)
    for (const index of order) {
      const id = ids[index] ?? ''
      expect(await bench.remove(id)).toBe(true)
      left.delete(id)
      await bench.work()
      for (const other of left) await expectWhole(other)
      await bench.expectExact()
    }
    expect(await bench.storedKeys()).toEqual([])
  })

  it('go at the same time, and nothing of them stays', async () => {
    const ids = [await ready(), await ready(), await ready()]
    const fourth = await ready()
    await Promise.all(ids.map((id) => bench.remove(id)))
    await bench.work()
    await expectWhole(fourth)
    await bench.remove(fourth)
    await bench.work()
    expect(await bench.storedKeys()).toEqual([])
    await bench.expectExact()
  })

  it.each([1, 2] as const)(
    'are converted once when they come at the same time, in %i request(s)',
    async (requests) => {
      const ids = [await bench.arrived(picture, requests), await bench.arrived(picture, requests)]
      await bench.clear()
      const goOn = Promise.withResolvers<void>()
      bench.during.conversion = () => goOn.promise
      const { run } = bench.handlers()
      const running = ids.map((id) => run(id))
      await waitFor(() => bench.converted.length > 0, { intervalMs: 5 })
      goOn.resolve()
      await Promise.all(running)
      for (const id of ids) await expectWhole(id)
      expect(bench.converted).toHaveLength(1)
      expect((await bench.events()).map(([type, subject]) => [type, subject]).toSorted()).toEqual(
        ids.map((id) => ['image.ready', id]).toSorted(),
      )
      await bench.expectExact()
    },
  )

  it('are converted after all when the first one could not be, or the wait is broken off', async () => {
    const ids = [await bench.arrived(picture), await bench.arrived(picture)] as const
    await bench.clear()
    const goOn = Promise.withResolvers<void>()
    bench.during.conversion = async () => {
      bench.during.conversion = async () => undefined
      await goOn.promise
      throw new Error('crashed')
    }
    const { converting } = bench.handlers()
    const attempt = { jobId: 'job', number: 1 }
    const given = new AbortController()
    const { signal } = new AbortController()
    const first = converting.run({ imageId: ids[0] }, { ...attempt, signal })
    await waitFor(() => bench.converted.length === 1, { intervalMs: 5 })
    const second = converting.run({ imageId: ids[1] }, { ...attempt, signal })
    const impatient = converting.run({ imageId: ids[1] }, { ...attempt, signal: given.signal })
    given.abort(new Error('given up'))
    await expect(impatient).rejects.toThrow('given up')
    goOn.resolve()
    await expect(first).rejects.toThrow('crashed')
    await second
    await expectWhole(ids[1])
    expect(bench.converted).toHaveLength(2)
  })

  it('may be converted by two processes at once, and are both right', async () => {
    const ids = [await bench.arrived(picture), await bench.arrived(picture)]
    await bench.clear()
    const both = Promise.withResolvers<void>()
    bench.during.conversion = async () => {
      if (bench.converted.length === 2) both.resolve()
      await both.promise
    }
    await Promise.all(ids.map((id) => bench.handlers().run(id)))
    for (const id of ids) await expectWhole(id)
    await bench.expectExact()
  })
})

describe('images of the same bytes, at any moment of what comes to another one', () => {
  let picture: Buffer
  let bench: ImageBench

  beforeAll(async () => {
    picture = await png()
    const [, target] = databaseTargets
    const [backend] = backends
    if (!target || !backend) throw new Error('there is no PostgreSQL')
    bench = await imageBench({ target, backend, presets })
    return () => bench.cleanup()
  })

  /** Has two things happen at once to two images of the same bytes, again and again. */
  async function everyMoment(
    first: (ids: readonly [string, string], database: ImageBench['database']) => Promise<unknown>,
    second: (ids: readonly [string, string]) => Promise<unknown>,
    isSecondReady: boolean,
    check: (ids: readonly [string, string]) => Promise<void>,
  ): Promise<void> {
    for (let after = 1, paused = true; paused; after += 1) {
      const one = await bench.arrived(picture)
      if (isSecondReady) await bench.work()
      const ids = [one, await bench.arrived(picture, isSecondReady ? 1 : 2)] as const
      if (!isSecondReady) await bench.run(one)
      await bench.clear()
      const round = await interleave(
        bench.database,
        (database) => first(ids, database),
        () => second(ids),
        after,
      )
      paused = round.paused
      expect(round.outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      await bench.work()
      await check(ids)
      await bench.expectExact()
      for (const id of ids) await bench.remove(id)
      await bench.work()
      expect(await bench.storedKeys(), `after ${after} statements`).toEqual([])
    }
  }
  const removing =
    (index: 0 | 1) =>
    (ids: readonly [string, string], database = bench.database) =>
      bench.removeOn(database, ids[index])
  const converting = (ids: readonly [string, string], database = bench.database) =>
    bench.handlers({ database }).run(ids[1])
  const expectSecond = async ([, id]: readonly [string, string]) => {
    expect(Object.keys(await bench.contents(id))).toHaveLength(renditions)
  }

  it('both go', () => everyMoment(removing(0), removing(1), true, async () => {}), 120_000)

  it('one takes what the other has, which is deleted', async () => {
    await everyMoment(converting, removing(0), false, expectSecond)
    await everyMoment(removing(0), converting, false, expectSecond)
  }, 120_000)
})

it('are looked for by an index of their content, however many images the owner has', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, cleanup } = await sqlite.create()
  const image = { id: 'an-id', owner: 'me', sha256: 'a-digest' }
  const compiled = twinQuery(database.queries, image, wantedOf(presets)).compile()
  const explained = { ...compiled, sql: `explain query plan ${compiled.sql}` }
  const { rows } = await database.queries.executeQuery(explained)
  await cleanup()
  expect(JSON.stringify(rows)).toContain('INDEX images_by_content (owner=? AND sha256=?)')
  expect(JSON.stringify(rows)).not.toContain('SCAN')
})
