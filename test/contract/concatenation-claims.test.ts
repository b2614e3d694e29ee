/** Whose partial uploads a list may name, and what it is told otherwise. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { markFailed } from '../../src/uploads/ledger.ts'
import { concatenating, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf } from '../support/leases.ts'
import { contentOf, type StorageUnderTest, sha256, startDisk } from '../support/storage.ts'

const bytes = contentOf(3_000)
const badConcat = { code: 'bad-concat', status: 400 }

describe.each(databaseTargets)('a list of uploads to make one of, on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let core: ReturnType<typeof concatenating>
  let witness: ReturnType<typeof witnessOf>

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    core = concatenating({ database: test.database, storage: disk.storage, maxSize: 10_000 })
    witness = witnessOf(test.database, disk.storage)
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  const change = (id: string, to: { expires_at: number }) =>
    test.database.queries.updateTable('uploads').set(to).where('id', '=', id).execute()
  /** Whatever was refused, the partial ones are free, and nothing was begun. */
  async function expectNoFinal(ids: readonly string[]): Promise<void> {
    const { queries } = test.database
    const rows = await queries.selectFrom('uploads').select(['id', 'final_id', 'sources']).execute()
    expect(rows.filter(({ sources }) => sources !== null)).toEqual([])
    const claimed = rows.filter(({ id, final_id }) => ids.includes(id) && final_id !== null)
    expect(claimed).toEqual([])
  }

  it.each([
    ['nobody has', async () => newId(), badConcat],
    ['somebody else owns', () => core.partial(bytes, { owner: 'them' }), badConcat],
    [
      'somebody else owned until it expired',
      async () => {
        const id = await core.partial(bytes, { owner: 'them' })
        await change(id, { expires_at: Date.now() - 1 })
        return id
      },
      badConcat,
    ],
    ['is no partial one', () => core.partial(bytes, { isPartial: false }), badConcat],
    [
      'has expired and was not swept yet',
      async () => {
        const id = await core.partial(bytes)
        await change(id, { expires_at: Date.now() - 1 })
        return id
      },
      { code: 'upload-expired', status: 410 },
    ],
    [
      'has expired and was swept',
      async () => {
        const id = await core.partial(undefined, { length: 10 })
        await change(id, { expires_at: Date.now() - 1 })
        await witness.sweep()
        return id
      },
      { code: 'upload-expired', status: 410 },
    ],
    [
      'has failed',
      async () => {
        const id = await core.partial(undefined, { length: 10 })
        await markFailed(test.database.queries, await leaseOf(test.database, id), 'It is broken.')
        return id
      },
      { code: 'upload-failed', status: 410, message: 'It is broken.' },
    ],
    [
      'was removed',
      async () => {
        const id = await core.partial(bytes)
        await core.remove(id)
        return id
      },
      badConcat,
    ],
  ])('is refused when it names one that %s, and the others stay free', async (_, make, error) => {
    const [first, other, last] = [
      await core.partial(bytes),
      await make(),
      await core.partial(bytes),
    ]
    await expect(core.concatenate([first, other, last])).rejects.toMatchObject(error)
    await expectNoFinal([first, last])
    expect(await core.concatenate([first, last])).toMatchObject({ state: 'stored' })
  })

  it('is refused when it names an upload that is made of others itself', async () => {
    const one = await core.partial(bytes)
    const { id } = await core.concatenate([one])
    const two = await core.partial(bytes)
    await expect(core.concatenate([two, id])).rejects.toMatchObject(badConcat)
    await expect(core.concatenate([id])).rejects.toMatchObject(badConcat)
    expect(await core.concatenate([two])).toMatchObject({ state: 'stored' })
    expect(await witness.digest(id)).toBe(sha256(bytes))
  })

  it.each(['complete', 'incomplete'])(
    'is refused when it shares some with another list, being %s, and nothing of it is taken',
    async (which) => {
      const [before, one, two, three] = [
        await core.partial(bytes),
        await core.partial(bytes),
        await core.partial(bytes),
        await core.partial(bytes),
      ]
      const open = which === 'complete' ? [] : [await core.partial(undefined, { length: 10 })]
      const { id } = await core.concatenate([one, two, ...open])
      const whole = [one, two, ...open]
      const lists = [[one], [two, one, ...open], [one, three], [before, two], [...whole, one]]
      for (const list of lists) {
        await expect(core.concatenate(list)).rejects.toMatchObject(badConcat)
      }
      const free = { final_id: null, expires_at: expect.any(Number) }
      for (const each of [before, three]) expect(await witness.row(each)).toMatchObject(free)
      expect(await core.concatenate(whole)).toMatchObject({ id })
    },
  )

  it('is refused as too large when what is known of them is too much, also of what has no length yet', async () => {
    const [one, two] = [await core.partial(contentOf(6_000)), await core.partial(contentOf(4_000))]
    const open = await core.partial(Buffer.from('x'), { length: undefined })
    const tooLarge = { code: 'upload-too-large', status: 413 }
    await expect(core.concatenate([one, two, two])).rejects.toMatchObject(tooLarge)
    await expect(core.concatenate([one, two, open])).rejects.toMatchObject(tooLarge)
    await expectNoFinal([one, two, open])
    expect(await core.concatenate([one, two])).toMatchObject({ state: 'stored', length: 10_000 })
  })

  it('is gone, and said to be, when what was made of it has failed', async () => {
    const [one, two] = [await core.partial(bytes), await core.partial(undefined, { length: 10 })]
    const { id } = await core.concatenate([one, two])
    await markFailed(test.database.queries, await leaseOf(test.database, id), 'It is broken.')
    const failed = { code: 'upload-failed', status: 410 }
    await expect(core.concatenate([one, two])).rejects.toMatchObject(failed)
  })

  it('may be of three hundred', async () => {
    const pieces = Array.from({ length: 300 }, (_, each) =>
      bytes.subarray(each * 10, each * 10 + 10),
    )
    const ids = await Promise.all(pieces.map((piece) => core.partial(piece)))
    const { id, state } = await core.concatenate(ids)
    expect(state).toBe('stored')
    expect(await witness.digest(id)).toBe(sha256(bytes))
    await witness.runDiscards()
    expect(await disk.listKeys()).toHaveLength(1)
  })

  it('does not take what is taken already for nobody when its request breaks off in the middle', async () => {
    const [one, two] = [await core.partial(bytes), await core.partial(bytes)]
    const broken = concatenating({
      database: {
        ...test.database,
        transaction: (work) =>
          test.database.transaction(async (trx) => {
            await work(trx)
            throw new Error('the power went')
          }),
      },
      storage: disk.storage,
    })
    await expect(broken.concatenate([one, two])).rejects.toThrow('the power went')
    await expectNoFinal([one, two])
  })
})
