/** Uploads made of others that are not complete yet (tus: concatenation-unfinished). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { lengthOfSources } from '../../src/uploads/concat-records.ts'
import { markFailed } from '../../src/uploads/ledger.ts'
import { concatenating, expectSound, reconcile, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, never } from '../support/leases.ts'
import { backends, contentOf, MiB, type StorageUnderTest, sha256 } from '../support/storage.ts'

/** Each database and each storage; all pairs of them are in `concatenation.test.ts`. */
const places = databaseTargets.flatMap((target, each) =>
  backends
    .slice(each, each + 1)
    .map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)
const day = 86_400_000
const contents = [contentOf(6 * MiB, 1), contentOf(2_000, 2), contentOf(3_000, 3)]
const [first = Buffer.alloc(0), second = Buffer.alloc(0), third = Buffer.alloc(0)] = contents

describe.each(places)('an upload that waits for its parts, with $name', ({ target, backend }) => {
  let test: TestDatabase
  let under: StorageUnderTest
  let core: ReturnType<typeof concatenating>
  let witness: ReturnType<typeof witnessOf>

  beforeEach(async () => {
    test = await target.create()
    under = await backend.start()
    core = concatenating({ database: test.database, storage: under.storage })
    witness = witnessOf(test.database, under.storage)
  })
  afterEach(async () => {
    await under.close()
    await test.cleanup()
  })

  const open = (length?: number) => core.partial(undefined, { length })
  const expectJoined = async (id: string, bytes = Buffer.concat(contents)) => {
    expect(await reconcile(core, test.database)).toEqual([])
    expect(await witness.find(id)).toMatchObject({
      state: 'stored',
      offset: bytes.length,
      length: bytes.length,
    })
    expect(await witness.digest(id)).toBe(sha256(bytes))
    expect(await witness.events()).toEqual([['upload.stored', id]])
    expect(await witness.images()).toEqual([id])
    expect(await witness.jobs('image.convert')).toHaveLength(1)
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([originalKey(id)])
  }
  /** The rest goes, and nothing of it is left after some time. */
  async function expectNothingLeft(): Promise<void> {
    await expectSound(core, test.database, under)
    await witness.sweep(Date.now() + 2 * day)
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([])
    await witness.sweep(Date.now() + 30 * day)
    const left = await test.database.queries.selectFrom('uploads').select('state').execute()
    expect(left.filter(({ state }) => state !== 'failed')).toEqual([])
  }

  it.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 0, 2]]])(
    'is made when the last of them is complete, in whatever order: %j',
    async (order) => {
      const ids = [await open(first.length), await open(second.length), await open(third.length)]
      const { id, state, length } = await core.concatenate(ids)
      const total = first.length + 5_000
      expect({ state, length }).toEqual({ state: 'receiving', length: total })
      for (const [count, each] of order.entries()) {
        expect(await witness.stateOf(id)).toBe('receiving')
        await core.append(ids[each] ?? '', 0, contents[each] ?? first)
        expect(await witness.stateOf(id)).toBe(count === 2 ? 'assembling' : 'receiving')
      }
      await expectJoined(id)
    },
  )

  it('is the same one when the list is sent again while it waits, and while it is made', async () => {
    const ids = [await core.partial(first), await open(second.length), await core.partial(third)]
    const { id } = await core.concatenate(ids)
    expect(await core.concatenate(ids)).toMatchObject({ id, state: 'receiving' })
    await core.append(ids[1] ?? '', 0, second)
    expect(await witness.stateOf(id)).toBe('assembling')
    expect(await core.concatenate(ids)).toMatchObject({ id, state: 'stored' })
    await expectJoined(id)
  })

  it('has a length once all of them have one', async () => {
    const ids = [await open(), await core.partial(second), await open()]
    const { id, length } = await core.concatenate(ids)
    expect(length).toBeUndefined()
    const known = () => lengthOfSources(test.database.queries, ids)
    await core.append(ids[0] ?? '', 0, first)
    expect(await known()).toBeUndefined()
    await core.append(ids[0] ?? '', first.length, Buffer.alloc(0), first.length)
    expect(await known()).toBeUndefined()
    await core.append(ids[2] ?? '', 0, third.subarray(0, 1_000), third.length)
    expect(await known()).toBe(first.length + second.length + third.length)
    expect(await witness.stateOf(id)).toBe('receiving')
    await core.append(ids[2] ?? '', 1_000, third.subarray(1_000))
    await expectJoined(id)
  })

  it('takes no bytes itself', async () => {
    const ids = [await open(first.length), await open(second.length)]
    const { id } = await core.concatenate(ids)
    const refused = { code: 'upload-is-final', status: 403 }
    await expect(core.append(id, 0, second)).rejects.toMatchObject(refused)
    await core.append(ids[0] ?? '', 0, first)
    await core.append(ids[1] ?? '', 0, second)
    await expect(core.append(id, 0, second)).rejects.toMatchObject(refused)
    await expectJoined(id, Buffer.concat([first, second]))
    await expect(core.append(id, 0, second)).rejects.toMatchObject(refused)
  })

  it('does not wait for one that is there twice any longer than for others', async () => {
    const part = await open(second.length)
    const { id } = await core.concatenate([part, part])
    await core.append(part, 0, second)
    await expectJoined(id, Buffer.concat([second, second]))
  })

  it('expires with the first of them that does, and what else it waited for goes, too', async () => {
    const [kept, late, going] = [await core.partial(first), await open(10), await open(20)]
    const { id } = await core.concatenate([kept, late, going])
    await core.append(going, 0, second.subarray(0, 10))
    const { queries } = test.database
    await queries.updateTable('uploads').set({ expires_at: 1 }).where('id', '=', late).execute()
    await witness.sweep()
    expect(await witness.stateOf(id)).toBe('expired')
    expect(await witness.events()).toEqual([['upload.expired', id]])
    expect(await witness.stateOf(kept)).toBe('expired')
    await witness.sweep()
    await witness.runDiscards()
    expect(await under.listKeys(originalKey(kept))).toEqual([])
    const gone = { code: 'upload-expired', status: 410 }
    await expect(core.look(id, never)).rejects.toMatchObject(gone)
    // Somebody may still send that one, and make another upload of it.
    await core.append(going, 10, second.subarray(10, 20))
    const other = await core.concatenate([going])
    expect(await witness.digest(other.id)).toBe(sha256(second.subarray(0, 20)))
    await core.remove(other.id)
    await expectNothingLeft()
  })

  it('fails with the first of them that does, and what else it waited for goes, too', async () => {
    const [kept, broken] = [await core.partial(first), await open(10)]
    const { id } = await core.concatenate([kept, broken])
    await markFailed(test.database.queries, await leaseOf(test.database, broken), 'It is broken.')
    const { queries } = test.database
    await queries.updateTable('uploads').set({ lease_until: 1 }).where('id', '=', broken).execute()
    await witness.sweep()
    expect(await witness.find(id)).toMatchObject({
      state: 'failed',
      failure: 'One of the uploads it was to be made of failed.',
    })
    expect(await witness.stateOf(kept)).toBe('expired')
    const failed = { code: 'upload-failed', status: 410 }
    await expect(core.look(id, never)).rejects.toMatchObject(failed)
    await test.database.queries.updateTable('uploads').set({ lease_token: null }).execute()
    await expectNothingLeft()
  })

  it('fails when it turns out to be too large, and what it waited for goes, too', async () => {
    const given = { database: test.database, storage: under.storage, maxSize: 4_999 }
    const narrow = concatenating(given)
    const [kept, late] = [await narrow.partial(third), await narrow.partial()]
    const { id } = await narrow.concatenate([kept, late])
    await narrow.append(late, 0, second, second.length)
    expect(await witness.find(id)).toMatchObject({
      state: 'failed',
      failure: 'Uploads have at most 4999 bytes here.',
    })
    await witness.sweep()
    await witness.sweep()
    for (const each of [kept, late]) expect(await witness.stateOf(each)).toBe('expired')
    expect(await witness.events()).toEqual([])
    await expectNothingLeft()
  })

  it('fails when one of them is removed, and what else it waited for goes, too', async () => {
    const [kept, gone] = [await core.partial(first), await open(10)]
    const { id } = await core.concatenate([kept, gone])
    await core.append(gone, 0, second.subarray(0, 5))
    expect(await core.remove(gone)).toBe(true)
    expect(await witness.find(id)).toMatchObject({
      state: 'failed',
      failure: 'One of the uploads it was to be made of was removed.',
    })
    expect(await witness.stateOf(kept)).toBe('expired')
    await expectNothingLeft()
  })

  it('keeps those that are complete for as long as it waits', async () => {
    const [kept, late] = [await core.partial(first), await open(second.length)]
    const { id } = await core.concatenate([kept, late])
    const { queries } = test.database
    const soon = { expires_at: Date.now() + 1_000 * day }
    await queries.updateTable('uploads').set(soon).where('id', '=', late).execute()
    await witness.sweep(Date.now() + 900 * day)
    expect(await witness.find(kept)).toMatchObject({ state: 'stored', expiresAt: undefined })
    await core.append(late, 0, second)
    await witness.sweep(Date.now() + 2_000 * day)
    await expectJoined(id, Buffer.concat([first, second]))
  })
})
