/** What objects renditions leave in storage, whatever comes in between. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { png } from '../fixtures/images.ts'
import { databaseTargets } from '../support/databases.ts'
import { type ImageBench, imageBench, imageSetups } from '../support/image-bench.ts'
import { interleave } from '../support/interleaving.ts'
import { testPreset } from '../support/presets.ts'
import { backends } from '../support/storage.ts'

const presets = [testPreset({ formats: ['webp', 'avif'] }), testPreset({ name: 'other' })]
const renditions = 3

describe.each(imageSetups)('objects of renditions on $name', ({ target, backend }) => {
  let picture: Buffer
  let bench: ImageBench

  beforeAll(async () => {
    picture = await png()
  })
  beforeEach(async () => {
    bench = await imageBench({ target, backend, presets })
  })
  afterEach(() => bench.cleanup())

  async function arrived(): Promise<string> {
    const id = await bench.arrived(picture)
    await bench.clear()
    return id
  }
  const remove = async (id: string) => expect(await bench.remove(id)).toBe(true)
  /** Storage whose `nth` write does something else, with what would have been done. */
  function interrupted(
    nth: number,
    instead: (write: () => Promise<void>) => Promise<void>,
  ): { storage: Storage; keys: string[] } {
    const keys: string[] = []
    const putFile: Storage['putFile'] = (key, ...rest) => {
      const write = () => bench.storage.putFile(key, ...rest)
      return keys.push(key) === nth ? instead(write) : write()
    }
    return { storage: { ...bench.storage, putFile }, keys }
  }
  const crash = async (write: () => Promise<void>) => {
    await write()
    throw new Error('crashed')
  }
  async function expectGone(id: string): Promise<void> {
    await bench.work()
    expect(await bench.find(id)).toBeUndefined()
    expect(await bench.storedKeys()).toEqual([])
    await bench.expectExact()
  }
  async function expectReady(id: string): Promise<void> {
    await bench.work()
    expect(await bench.find(id)).toMatchObject({ state: 'ready' })
    expect(await bench.storedKeys()).toHaveLength(renditions)
    await bench.expectExact()
  }

  it('have the name of their image and preset, and of what was asked for', async () => {
    const id = await arrived()
    await bench.run(id)
    await expectReady(id)
    const [avif] = (await bench.find(id))?.renditions ?? []
    const key = new RegExp(`^images/${id}/box-${avif?.fingerprint}[0-9a-f]{12}\\.avif$`)
    expect(avif?.key).toMatch(key)
  })

  it('are written again under the same names after an attempt that did not come to its end', async () => {
    const id = await arrived()
    const first = interrupted(2, crash)
    await expect(bench.handlers(first).run(id)).rejects.toThrow('crashed')
    const second = interrupted(0, crash)
    await bench.handlers(second).run(id)
    expect(second.keys.slice(0, 2)).toEqual(first.keys)
    await expectReady(id)
  })

  it('of an attempt that did not come to its end go when the presets are others since', async () => {
    const id = await arrived()
    await expect(bench.handlers(interrupted(3, crash)).run(id)).rejects.toThrow('crashed')
    const other = [testPreset({ formats: ['webp'], width: 11 })]
    await bench.handlers({ presets: other }).run(id)
    await bench.work()
    expect(await bench.storedKeys()).toHaveLength(1)
    await bench.expectExact()
  })

  it('stay none of an image that is deleted before it is converted, or meanwhile', async () => {
    const before = await arrived()
    await remove(before)
    await bench.run(before)
    await expectGone(before)
    const meanwhile = await arrived()
    bench.during.conversion = () => remove(meanwhile)
    await bench.run(meanwhile)
    await expectGone(meanwhile)
  })

  it('stay none of an image that is deleted after an attempt that left some', async () => {
    const id = await arrived()
    await expect(bench.handlers(interrupted(2, crash)).run(id)).rejects.toThrow('crashed')
    await remove(id)
    await expectGone(id)
  })

  it.each([1, 2, 3])('stay none of an image that is deleted during write %i', async (nth) => {
    const id = await arrived()
    const { storage } = interrupted(nth, async (write) => {
      await remove(id)
      await bench.work()
      await write()
    })
    await bench.handlers({ storage }).run(id)
    await expectGone(id)
  })

  it.each([1, 2, 3])(
    'stay none of an attempt that lost its lease during write %i, and of an image that went since',
    async (nth) => {
      const id = await arrived()
      const lost = new AbortController()
      const { storage } = interrupted(nth, async (write) => {
        lost.abort(new Error('the lease is lost'))
        await bench.run(id)
        await remove(id)
        await bench.work()
        await write()
      })
      const late = bench.handlers({ storage, signal: lost.signal }).run(id)
      await (nth === renditions ? late : expect(late).rejects.toThrow('the lease is lost'))
      await expectGone(id)
    },
  )

  it('are those of the attempt that comes first when two are at it, and it is told once', async () => {
    const id = await arrived()
    const { storage } = interrupted(1, async (write) => {
      await bench.run(id)
      await write()
    })
    await bench.handlers({ storage }).run(id)
    expect(await bench.events()).toEqual([['image.ready', id, { renditions }]])
    await expectReady(id)
  })

  it('stay none of an image that was given up while an attempt went on, until it is tried again', async () => {
    const id = await arrived()
    const { converting } = bench
    const { storage } = interrupted(2, async (write) => {
      await bench.database.transaction(async (trx) =>
        converting.onDead?.(trx, { imageId: id }, 'no luck'),
      )
      await bench.work()
      await write()
    })
    await bench.handlers({ storage }).run(id)
    await bench.work()
    expect(await bench.find(id)).toMatchObject({ state: 'failed' })
    expect(await bench.storedKeys()).toEqual([])
    const revive = () =>
      bench.database.transaction(async (trx) => converting.onRevived?.(trx, { imageId: id }))
    expect(await revive()).toBe(true)
    expect(await bench.find(id)).toMatchObject({ state: 'processing', error: undefined })
    await bench.run(id)
    await expectReady(id)
    expect(await revive()).toBe(false)
  })

  it('are not written for an attempt whose names were given up meanwhile, until the next one', async () => {
    const id = await arrived()
    const { converting } = bench
    const { storage } = interrupted(3, async (write) => {
      await bench.database.transaction(async (trx) => {
        await converting.onDead?.(trx, { imageId: id }, 'no luck')
        await converting.onRevived?.(trx, { imageId: id })
      })
      await bench.work()
      await write()
    })
    await expect(bench.handlers({ storage }).run(id)).rejects.toThrow('given up')
    await bench.work()
    expect(await bench.storedKeys()).toEqual([])
    await bench.run(id)
    await expectReady(id)
  })

  it('are written once storage is there again, or the disk has room', async () => {
    const id = await arrived()
    for (const [code, status] of [
      ['storage-unavailable', 503],
      ['storage-full', 507],
    ] as const) {
      const away = interrupted(2, () => Promise.reject(new AppError(code, status, 'away')))
      await expect(bench.handlers(away).run(id)).rejects.toMatchObject({
        name: 'PostponedJobError',
      })
      expect(await bench.leftOver()).toEqual([])
    }
    await bench.run(id)
    await expectReady(id)
  })
})

describe('objects of renditions, at any moment of a conversion', () => {
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

  /** Has something happen to an image at each statement of the attempt that converts it. */
  async function everyMoment(
    meanwhile: (id: string) => Promise<unknown>,
    check: (id: string) => Promise<void>,
  ): Promise<void> {
    for (let after = 1, paused = true; paused; after += 1) {
      const id = await bench.arrived(picture)
      await bench.clear()
      const round = await interleave(
        bench.database,
        (database) => bench.handlers({ database }).run(id),
        () => meanwhile(id),
        after,
      )
      paused = round.paused
      expect(round.outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      await check(id)
      await bench.work()
      expect(await bench.storedKeys(), `after ${after} statements`).toEqual([])
      await bench.expectExact()
    }
  }

  it('stay none when the image is deleted then', async () => {
    await everyMoment(
      (id) => bench.remove(id),
      async (id) => expect(await bench.find(id)).toBeUndefined(),
    )
  }, 120_000)

  it('are there once when another attempt comes then, and it is told once', async () => {
    await everyMoment(
      (id) => bench.handlers().run(id),
      async (id) => {
        expect(await bench.events()).toEqual([['image.ready', id, { renditions }]])
        expect(await bench.storedKeys()).toHaveLength(renditions)
        await bench.expectExact()
        await bench.remove(id)
      },
    )
  }, 120_000)
})
