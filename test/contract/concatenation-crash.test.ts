/** Uploads made of others that a crash or an outage came between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import type { Progress, Storage, UploadStorage } from '../../src/storage/contract.ts'
import { uploadLost } from '../../src/storage/errors.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { voidLeases } from '../../src/uploads/lease-records.ts'
import type { Reconciler } from '../../src/uploads/reconcile.ts'
import { concatenating, reconcile, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leasesOf } from '../support/leases.ts'
import { backends, contentOf, MiB, type StorageUnderTest, sha256 } from '../support/storage.ts'

const places = databaseTargets.flatMap((target) =>
  backends.map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)
const large = 6 * MiB
const contents = [contentOf(large, 1), contentOf(2_000, 2), contentOf(0)]
/** The order of some that are different, and with one that is there twice. */
const once = [0, 1, 2]
const twice = [0, 1, 2, 0]
const bytesOf = (order: readonly number[]) =>
  Buffer.concat(order.map((each) => contents[each] ?? Buffer.alloc(0)))

describe.each(places)('a concatenation that is cut short, with $name', ({ target, backend }) => {
  let test: TestDatabase
  let under: StorageUnderTest
  let witness: ReturnType<typeof witnessOf>
  let reconciler: Reconciler | undefined

  beforeAll(async () => {
    test = await target.create()
    under = await backend.start()
    witness = witnessOf(test.database, under.storage)
  })
  afterAll(async () => {
    await under.close()
    await test.cleanup()
  })
  beforeEach(async () => {
    for (const table of ['uploads', 'jobs', 'events'] as const) {
      await test.database.queries.deleteFrom(table).execute()
    }
    await under.storage.remove(await under.listKeys())
  })
  afterEach(() => reconciler?.stop())

  /** One process of several. */
  const core = (storage: Partial<UploadStorage> = {}, holder = 'here') =>
    concatenating({
      database: test.database,
      storage: { ...under.storage, ...storage } as Storage,
      leases: leasesOf(test.database, { holder, times: { lease: 120_000 } }),
    })
  async function begin(order = once): Promise<string[]> {
    const ids: string[] = []
    for (const content of contents) ids.push(await core().partial(content))
    return order.map((each) => ids[each] ?? '')
  }
  const finalAmong = async (sources: readonly string[]) =>
    (await witness.ids()).find((id) => !sources.includes(id)) ?? ''
  async function expectWhole(id: string, order = once): Promise<void> {
    const bytes = bytesOf(order)
    const found = await witness.find(id)
    expect(found).toMatchObject({ state: 'stored', offset: bytes.length, lease: undefined })
    expect(await witness.digest(id)).toBe(sha256(bytes))
    expect(await witness.events()).toEqual([['upload.stored', id]])
    expect(await witness.images()).toEqual([id])
    expect(await witness.jobs('image.convert')).toHaveLength(1)
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([originalKey(id)])
  }
  type Moment = 'before' | 'after'
  /** A storage whose concatenation ends with what `fail` throws, at the n-th thing that it records. */
  const failingAt = (
    step: number,
    moment: Moment,
    fail: (progress: Progress) => Promise<never>,
  ): Pick<UploadStorage, 'concatenate'> => {
    let steps = 0
    return {
      concatenate: (position, sources, record, signal) =>
        under.storage.concatenate(
          position,
          sources,
          async (progress) => {
            steps += 1
            if (steps === step && moment === 'before') await fail(progress)
            await record(progress)
            if (steps === step && moment === 'after') await fail(progress)
          },
          signal,
        ),
    }
  }

  it.each<readonly [Moment, string, number[]]>([
    ['before', 'different ones', once],
    ['after', 'different ones', once],
    ['before', 'one that is there twice', twice],
    ['after', 'one that is there twice', twice],
  ])(
    'is made whole by the next process, whichever record the crash came right %s, of %s',
    async (moment, _, order) => {
      for (let step = 1, reached = true; reached; step += 1) {
        const sources = await begin(order)
        // A process that is gone gives no lease back.
        const crash = failingAt(step, moment, () => Promise.reject(new Error('the power went')))
        const first = core(crash, 'dead')
        const outcome = await first.concatenate(sources).catch((error: unknown) => error)
        reached = outcome instanceof Error
        await voidLeases(test.database.queries, ['dead'])
        const id = await finalAmong(sources)
        if (reached) expect(await witness.stateOf(id)).toBe('assembling')
        expect(await reconcile(core(), test.database)).toEqual([])
        await expectWhole(id, order)
        if (!reached) expect(step).toBeGreaterThan(1)
        for (const table of ['uploads', 'jobs', 'events'] as const) {
          await test.database.queries.deleteFrom(table).execute()
        }
        await under.storage.remove(await under.listKeys())
      }
    },
    120_000,
  )

  it('is made whole after a crash between the object and the record of it', async () => {
    const sources = await begin()
    let crashed = false
    const complete: UploadStorage['complete'] = async (...given) => {
      await under.storage.complete(...given)
      crashed = true
      throw new Error('the power went')
    }
    await expect(core({ complete }).concatenate(sources)).rejects.toThrow('the power went')
    expect(crashed).toBe(true)
    const id = await finalAmong(sources)
    expect(await reconcile(core(), test.database)).toEqual([])
    await expectWhole(id)
  })

  it('is made whole by the reconciler as soon as storage is back', async () => {
    const sources = await begin(twice)
    const away = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    const outage = failingAt(1, 'after', away)
    await expect(core(outage).concatenate(sources)).rejects.toMatchObject({ status: 503 })
    const id = await finalAmong(sources)
    expect(await witness.find(id)).toMatchObject({ state: 'assembling', lease: undefined })
    expect(await reconcile(core({ concatenate: away }), test.database)).toMatchObject([
      { status: 503 },
    ])
    expect(await witness.stateOf(id)).toBe('assembling')
    reconciler = core().reconciler()
    reconciler.start()
    await witness.isStored(id)
    await expectWhole(id, twice)
  })

  it('is made whole by the client that asks again', async () => {
    const sources = await begin()
    const away = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    await expect(core({ concatenate: away }).concatenate(sources)).rejects.toMatchObject({
      status: 503,
    })
    const id = await finalAmong(sources)
    expect(await core().concatenate(sources)).toMatchObject({ id, state: 'stored' })
    await expectWhole(id)
  })

  it('goes on without the client that went away', async () => {
    const sources = await begin()
    const gone = new AbortController()
    const slow: Pick<UploadStorage, 'concatenate'> = {
      concatenate: async (...given) => {
        gone.abort(new Error('the client is gone'))
        await under.storage.concatenate(...given)
      },
    }
    await expect(core(slow).concatenate(sources, {}, gone.signal)).rejects.toThrow()
    const id = await finalAmong(sources)
    await witness.isStored(id)
    await expectWhole(id)
  })

  it('is one, whole, when two processes go on with it, one of which has lost its lease', async () => {
    const sources = await begin()
    const late = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    let ending: Promise<unknown> = late.promise
    const slow: Pick<UploadStorage, 'concatenate'> = {
      concatenate: (position, all, record, signal) => {
        const storing = under.storage.concatenate(
          position,
          all,
          async (progress) => {
            began.resolve()
            await late.promise
            await record(progress)
          },
          signal,
        )
        ending = Promise.allSettled([storing])
        return storing
      },
    }
    const losing = core(slow, 'slow').concatenate(sources)
    await began.promise
    await voidLeases(test.database.queries, ['slow'])
    const id = await finalAmong(sources)
    expect(await reconcile(core(), test.database)).toEqual([])
    expect(await witness.stateOf(id)).toBe('stored')
    // Whoever asked hears of it, also from the process that did not make it.
    expect(await losing).toMatchObject({ id, state: 'stored' })
    late.resolve()
    expect(await ending).toMatchObject([{ status: 'rejected', reason: { code: 'lease-lost' } }])
    await expectWhole(id)
  })

  it('fails, and everything goes, when storage does not have the bytes any more', async () => {
    const sources = await begin()
    const broken = () => Promise.reject(uploadLost(new Error('NoSuchKey')))
    await expect(core({ concatenate: broken }).concatenate(sources)).rejects.toMatchObject({
      code: 'upload-lost',
      status: 410,
    })
    const id = await finalAmong(sources)
    expect(await witness.stateOf(id)).toBe('failed')
    expect(await witness.events()).toEqual([])
    await witness.sweep()
    await witness.sweep()
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([])
    for (const source of sources) expect(await witness.stateOf(source)).toBe('expired')
  })
})
