/** Renditions that are made anew while the others are served. */
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Preset } from '../../src/conversion/contract.ts'
import { AppError } from '../../src/errors.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { png } from '../fixtures/images.ts'
import { databaseTargets } from '../support/databases.ts'
import { type ImageBench, imageBench, imageSetups, renderedBytes } from '../support/image-bench.ts'
import { interleave } from '../support/interleaving.ts'
import { testPreset } from '../support/presets.ts'
import { backends } from '../support/storage.ts'

const box = testPreset()
const other = testPreset({ name: 'other' })
const presets = [box, other]
const wider = { ...box, width: 11 }
const changed = { presets: [wider, other] }

describe.each(imageSetups)('the job that makes renditions anew on $name', ({ target, backend }) => {
  let picture: Buffer
  let bench: ImageBench

  beforeAll(async () => {
    picture = await png()
  })
  beforeEach(async () => {
    bench = await imageBench({ target, backend, presets })
  })
  afterEach(() => bench.cleanup())

  const ready = async () => {
    const id = await bench.arrived(picture)
    await bench.work()
    await bench.clear()
    return id
  }
  const reconvert = (id: string, otherwise: Parameters<ImageBench['handlers']>[0] = changed) =>
    bench.handlers(otherwise).reconvert(id, 'box')
  const as = (preset: Preset, format: 'webp' | 'avif' = 'webp') =>
    renderedBytes(picture, preset, format).toString()
  const isOld = () => ({ 'box.webp': as(box), 'other.webp': as(other) })
  const isNew = () => ({ 'box.webp': as(wider), 'other.webp': as(other) })
  /** By preset and format. */
  async function revisions(id: string): Promise<Record<string, number>> {
    const { renditions = [] } = (await bench.find(id)) ?? {}
    return Object.fromEntries(
      renditions.map(({ preset, format, revision }) => [`${preset}.${format}`, revision]),
    )
  }
  async function expectNew(id: string): Promise<void> {
    await bench.work(changed)
    expect(await bench.contents(id)).toEqual(isNew())
    await bench.expectExact()
  }

  it('has nothing to do where what moves has fewer formats, until the preset changes', async () => {
    const moving = { ...box, formats: ['avif', 'webp'], animated: true } as const
    const by = (preset: Preset) => ({ presets: [preset, other] })
    bench.originals.move = true
    const id = await bench.arrived(picture)
    await bench.work(by(moving))
    await reconvert(id, by(moving))
    expect(await revisions(id)).toEqual({ 'box.webp': 1, 'other.webp': 1 })
    await reconvert(id, by({ ...moving, width: 11 }))
    expect(await revisions(id)).toEqual({ 'box.webp': 2, 'other.webp': 1 })
    bench.originals.move = false
    await reconvert(id, by({ ...moving, width: 12, animated: false }))
    expect(await revisions(id)).toEqual({ 'box.avif': 3, 'box.webp': 3, 'other.webp': 1 })
  })

  it('replaces those of the preset, and no other ones', async () => {
    const id = await ready()
    const before = await bench.find(id)
    await reconvert(id)
    expect(await revisions(id)).toEqual({ 'box.webp': 2, 'other.webp': 1 })
    expect(await bench.find(id)).toMatchObject({ ...before, renditions: expect.anything() })
    await expectNew(id)
    expect(bench.converted).toHaveLength(2)
    expect(await bench.events()).toEqual([])
    expect(await bench.leftOver()).toEqual([])
    await reconvert(id, { presets })
    expect(await revisions(id)).toEqual({ 'box.webp': 3, 'other.webp': 1 })
    await bench.work()
    expect(await bench.contents(id)).toEqual(isOld())
    await bench.expectExact()
  })

  it('does nothing where there is nothing to do', async () => {
    const id = await ready()
    await reconvert(id, { presets })
    await reconvert(id, { presets: [other] })
    const processing = await bench.arrived(Buffer.concat([picture, picture]))
    await reconvert(processing)
    await reconvert('019a9f1e-6d2c-7000-8000-3f6c1b2a4d5e')
    expect(bench.converted).toHaveLength(1)
    expect(await revisions(id)).toEqual({ 'box.webp': 1, 'other.webp': 1 })
    expect(await bench.contents(id)).toEqual(isOld())
  })

  it('makes what a preset has come to have, and removes what it has no longer', async () => {
    const id = await ready()
    const both: Preset = { ...box, formats: ['avif', 'webp'] }
    await reconvert(id, { presets: [both, other] })
    expect(await revisions(id)).toEqual({ 'box.avif': 2, 'box.webp': 2, 'other.webp': 1 })
    await reconvert(id, { presets: [{ ...box, formats: ['avif'] }, other] })
    expect(await revisions(id)).toEqual({ 'box.avif': 3, 'other.webp': 1 })
    const third = { presets: [box, other, testPreset({ name: 'third' })] }
    await bench.handlers(third).reconvert(id, 'third')
    expect(await revisions(id)).toEqual({ 'box.avif': 3, 'other.webp': 1, 'third.webp': 1 })
    await bench.work(third)
    expect(Object.keys(await bench.contents(id))).toHaveLength(3)
    await bench.expectExact()
  })

  it('leaves what is served whole: the old one until the new one is there, and for a while after', async () => {
    const id = await ready()
    const putFile: Storage['putFile'] = async (...given) => {
      expect(await bench.contents(id)).toEqual(isOld())
      await bench.storage.putFile(...given)
      expect(await bench.contents(id)).toEqual(isOld())
    }
    const served = (await bench.find(id))?.renditions.find(({ preset }) => preset === 'box')
    const before = Date.now()
    await reconvert(id, { ...changed, storage: { ...bench.storage, putFile } })
    expect(await bench.contents(id)).toEqual(isNew())
    const old = await buffer(await bench.storage.read(served?.key ?? ''))
    expect(old.toString()).toBe(as(box))
    const jobs = await bench.database.queries
      .selectFrom('jobs')
      .select(['kind', 'run_at'])
      .execute()
    expect(jobs.map(({ kind }) => kind)).toEqual(['storage.remove'])
    expect(jobs[0]?.run_at).toBeGreaterThanOrEqual(before + 60_000)
    await expectNew(id)
  })

  it('changes nothing of other images with the same bytes, which then need not be converted', async () => {
    const ids = [await ready(), await ready(), await ready()] as const
    expect(bench.converted).toHaveLength(1)
    await reconvert(ids[0])
    await bench.work(changed)
    expect(await bench.contents(ids[1])).toEqual(isOld())
    expect(await revisions(ids[1])).toEqual({ 'box.webp': 1, 'other.webp': 1 })
    await reconvert(ids[1])
    expect(await revisions(ids[1])).toEqual({ 'box.webp': 2, 'other.webp': 1 })
    expect(bench.converted).toHaveLength(2)
    await bench.remove(ids[0])
    await expectNew(ids[1])
    expect(await bench.contents(ids[2])).toEqual(isOld())
    await bench.remove(ids[1])
    await bench.remove(ids[2])
    await bench.work(changed)
    expect(await bench.storedKeys()).toEqual([])
    await bench.expectExact()
  })

  it('leaves nothing of an image that is deleted meanwhile', async () => {
    const id = await ready()
    bench.during.conversion = () => bench.remove(id)
    await reconvert(id)
    bench.during.conversion = async () => undefined
    const second = await ready()
    const putFile: Storage['putFile'] = async (...given) => {
      await bench.remove(second)
      await bench.work(changed)
      await bench.storage.putFile(...given)
    }
    await reconvert(second, { ...changed, storage: { ...bench.storage, putFile } })
    await bench.work(changed)
    expect(await bench.storedKeys()).toEqual([])
    await bench.expectExact()
  })

  it('goes on after an attempt that did not come to its end, and clears away one that is given up', async () => {
    const id = await ready()
    const putFile: Storage['putFile'] = async (...given) => {
      await bench.storage.putFile(...given)
      throw new Error('crashed')
    }
    const crashing = { ...changed, storage: { ...bench.storage, putFile } }
    const between = { ...crashing, presets: [{ ...box, width: 12 }, other] }
    await expect(reconvert(id, between)).rejects.toThrow('crashed')
    await expect(reconvert(id, crashing)).rejects.toThrow('crashed')
    expect(await bench.contents(id)).toEqual(isOld())
    await reconvert(id)
    await expectNew(id)
    const back = { ...crashing, presets }
    await expect(reconvert(id, back)).rejects.toThrow('crashed')
    await bench.database.transaction(async (trx) =>
      bench.reconverting.onDead?.(trx, { imageId: id, preset: 'box' }, 'no luck'),
    )
    await expectNew(id)
    await expect(reconvert(id, back)).rejects.toThrow('crashed')
    // The presets are as they were again.
    await reconvert(id)
    await expectNew(id)
  })

  it('leaves an image as it is whose file is refused, and says why', async () => {
    const id = await ready()
    const refusal = new AppError('image-too-large', 422, 'It needs 5 GiB.')
    bench.during.conversion = () => Promise.reject(refusal)
    await expect(reconvert(id)).rejects.toMatchObject({
      name: 'PermanentJobError',
      message: 'It needs 5 GiB.',
    })
    expect(await bench.contents(id)).toEqual(isOld())
    await bench.expectExact()
  })

  it('is put off while storage is away', async () => {
    const id = await ready()
    const putFile = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    const away = reconvert(id, { ...changed, storage: { ...bench.storage, putFile } })
    await expect(away).rejects.toMatchObject({ name: 'PostponedJobError' })
    expect(await bench.contents(id)).toEqual(isOld())
    await reconvert(id)
    await expectNew(id)
  })

  it('may run twice at a time, also with different presets', async () => {
    const id = await ready()
    let others = [changed, { presets: [{ ...box, width: 12 }, other] }]
    const putFile: Storage['putFile'] = async (...given) => {
      const [next, ...rest] = others
      others = rest
      if (next) await reconvert(id, next)
      await bench.work(changed)
      await bench.storage.putFile(...given)
    }
    const late = reconvert(id, { ...changed, storage: { ...bench.storage, putFile } })
    // The one before had its names given up by the one after, and puts them right the next time.
    await late.catch((error: unknown) => expect(error).toMatchObject({ name: 'PostponedJobError' }))
    await reconvert(id)
    await expectNew(id)
  })
})

it('nothing stays of an image that is deleted at any moment while its renditions are made anew', async () => {
  const [, target] = databaseTargets
  const [backend] = backends
  if (!target || !backend) throw new Error('there is no PostgreSQL')
  const bench = await imageBench({ target, backend, presets })
  try {
    const picture = await png()
    for (let after = 1, paused = true; paused; after += 1) {
      const id = await bench.arrived(picture)
      await bench.work()
      const round = await interleave(
        bench.database,
        (database) => bench.handlers({ ...changed, database }).reconvert(id, 'box'),
        () => bench.remove(id),
        after,
      )
      paused = round.paused
      expect(round.outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      await bench.work(changed)
      expect(await bench.storedKeys(), `after ${after} statements`).toEqual([])
      await bench.expectExact()
    }
  } finally {
    await bench.cleanup()
  }
}, 120_000)
