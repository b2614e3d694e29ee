/** That the table of what owners have in store says what the uploads say, whatever happens to them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { concatenating, reconcile, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../support/storage.ts'
import { begunUpload, wholeUpload } from '../support/uploads.ts'
import { usageOf } from '../support/usage.ts'

const week = 7 * 86_400_000

describe.each(databaseTargets)('what owners have in store, on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let core: ReturnType<typeof concatenating>
  let witness: ReturnType<typeof witnessOf>

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    core = concatenating({ database: test.database, storage: disk.storage })
    witness = witnessOf(test.database, disk.storage)
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  /** An upload that others are not made of, with its bytes in one request. */
  const whole = (size: number, owner = 'ann') =>
    core.partial(contentOf(size), { isPartial: false, owner })
  const expectUsage = async (expected: Record<string, number>) => {
    const { truth, kept } = await usageOf(test.database)
    expect(kept).toEqual(truth)
    expect(kept).toEqual(expected)
  }

  it('is what is stored, in one piece or in several, and not what is begun', async () => {
    await expectUsage({})
    const begun = await core.partial(undefined, { isPartial: false, owner: 'ann', length: 100 })
    await expectUsage({})
    await core.append(begun, 0, contentOf(60))
    await expectUsage({})
    await core.append(begun, 60, contentOf(40))
    await expectUsage({ ann: 100 })
    await whole(7)
    await whole(0)
    await whole(5, 'bob')
    await expectUsage({ ann: 107, bob: 5 })
    const deferred = await core.partial(undefined, { isPartial: false, owner: 'bob' })
    await core.append(deferred, 0, contentOf(30), 30)
    await expectUsage({ ann: 107, bob: 35 })
  })

  it('loses what is removed, once, and nothing with what was not stored', async () => {
    const [one, two] = [await whole(10), await whole(20)]
    const begun = await core.partial(undefined, { isPartial: false, owner: 'ann', length: 100 })
    await core.append(begun, 0, contentOf(60))
    await expectUsage({ ann: 30 })
    await Promise.all([core.remove(one), core.remove(one), core.remove(begun)])
    await expectUsage({ ann: 20 })
    expect(await core.remove(one)).toBe(false)
    await core.remove(two)
    await expectUsage({})
  })

  it('has uploads made of others, but not those others', async () => {
    const [a, b] = [await core.partial(contentOf(10)), await core.partial(contentOf(5))]
    await expectUsage({})
    const { id } = await core.concatenate([a, b, a])
    await expectUsage({ local: 25 })
    const late = await core.partial(undefined, { length: 8 })
    const { id: waiting } = await core.concatenate([late])
    await expectUsage({ local: 25 })
    await core.append(late, 0, contentOf(8))
    expect(await reconcile(core, test.database)).toEqual([])
    await expectUsage({ local: 33 })
    await witness.sweep(Date.now() + week)
    await expectUsage({ local: 33 })
    await core.remove(id)
    await expectUsage({ local: 8 })
    await core.remove(waiting)
    await expectUsage({})
  })

  it('is not changed by what expires or fails', async () => {
    await whole(10)
    await core.partial(contentOf(20))
    await begunUpload(test.database, { owner: 'ann', length: 30 })
    const [part, other] = [await core.partial(contentOf(4)), await core.partial(undefined)]
    await core.concatenate([part, other])
    await core.remove(other)
    await witness.sweep(Date.now() + week)
    await witness.sweep(Date.now() + 3 * week)
    await expectUsage({ ann: 10 })
  })

  it('survives a crash at the last byte, after which the upload is finished once', async () => {
    const id = await wholeUpload(test.database, { owner: 'ann', length: 10 })
    const storage = { ...disk.storage, complete: async () => {} }
    const { listener } = core
    const broken = {
      ...listener,
      stored: async () => Promise.reject(new Error('the power went')),
    }
    const crashing = concatenating({ database: test.database, storage, listener: broken })
    expect(await reconcile(crashing, test.database)).toHaveLength(1)
    await expectUsage({})
    const healthy = concatenating({ database: test.database, storage })
    expect(await reconcile(healthy, test.database)).toEqual([])
    expect(await reconcile(healthy, test.database)).toEqual([])
    await expectUsage({ ann: 10 })
    await healthy.remove(id)
    await expectUsage({})
  })

  it('is right when many come and go at once in two processes', async () => {
    await using stack = new AsyncDisposableStack()
    const others = target.name === 'sqlite' ? test.database : openDatabase(test.fresh.target)
    if (others !== test.database) stack.defer(() => others.close())
    const cores = [core, concatenating({ database: others, storage: disk.storage })]
    const rounds = Array.from({ length: 40 }, async (_, each) => {
      const here = cores[each % 2] ?? core
      const size = each + 1
      const owner = each % 4 === 0 ? 'bob' : 'ann'
      const id = await here.partial(contentOf(size), { isPartial: false, owner })
      if (each % 3 === 0) await (cores[(each + 1) % 2] ?? core).remove(id)
      if (each % 10 === 1) {
        const part = await here.partial(contentOf(size), { owner })
        await here.concatenate([part, part], { owner })
      }
    })
    await Promise.all(rounds)
    const { truth, kept } = await usageOf(test.database)
    expect(kept).toEqual(truth)
    expect(Object.keys(kept)).toEqual(['ann', 'bob'])
  })
})
