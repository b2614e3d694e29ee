/** Removing uploads that are made of others, and those others, wherever they stand. */
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { concatenating, expectSound, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted } from '../support/leases.ts'
import { backends, contentOf, MiB, type StorageUnderTest, sha256 } from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

/** Each database and each storage; all pairs of them are in `concatenation.test.ts`. */
const places = databaseTargets.flatMap((target, each) =>
  backends
    .slice(each, each + 1)
    .map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)
const first = contentOf(6 * MiB, 1)
const second = contentOf(2_000, 2)

describe.each(places)('removing what is made of others, with $name', ({ target, backend }) => {
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

  async function expectNothingLeft(): Promise<void> {
    expect(await witness.ids()).toEqual([])
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([])
    expect(await witness.images()).toEqual([])
    const { queries } = test.database
    expect(await queries.selectFrom('upload_parts').selectAll().execute()).toEqual([])
  }
  /** The same core over a storage whose concatenation stands still after it has recorded something. */
  function standingStill() {
    const began = Promise.withResolvers<void>()
    const storage: Storage = {
      ...under.storage,
      concatenate: (position, sources, record, signal) =>
        under.storage.concatenate(
          position,
          sources,
          async (progress) => {
            await record(progress)
            began.resolve()
            throw await aborted(signal)
          },
          signal,
        ),
    }
    const slow = concatenating({ database: test.database, storage, leases: core.leases })
    return { ...slow, began: began.promise }
  }

  it('takes its parts along once it is stored', async () => {
    const sources = [await core.partial(first), await core.partial(second)]
    const { id } = await core.concatenate(sources)
    expect(await core.remove(id)).toBe(true)
    await expectNothingLeft()
    expect((await witness.events()).at(-1)).toEqual(['upload.removed', id])
    expect(await core.remove(id)).toBe(false)
  })

  it('takes its parts along while it waits for them', async () => {
    const open = await core.partial(undefined, { length: 10 * MiB })
    await core.append(open, 0, first)
    const sources = [await core.partial(second), open]
    const { id } = await core.concatenate(sources)
    expect(await core.remove(id)).toBe(true)
    await expectNothingLeft()
    expect(await witness.events()).toEqual([['upload.removed', id]])
  })

  it('ends the requests first that write to what it waits for, and nothing of theirs stays', async () => {
    const open = [
      await core.partial(undefined, { length: 20 * MiB }),
      await core.partial(undefined, { length: 20 * MiB }),
    ]
    const { id } = await core.concatenate([await core.partial(second), ...open])
    const bodies = open.map(() => new PassThrough())
    const writing = open.map((each, index) =>
      core.appendFrom(each, 0, bodies[index] as PassThrough),
    )
    const over = Promise.allSettled(writing)
    bodies[0]?.write(first)
    for (const each of open) await waitFor(async () => (await witness.row(each))?.lease_token)
    expect(await core.remove(id)).toBe(true)
    for (const { status, ...rest } of await over) {
      expect({ status, ...rest }).toMatchObject({
        status: 'rejected',
        reason: { code: 'upload-locked' },
      })
    }
    for (const body of bodies) body.destroy()
    await expectNothingLeft()
  })

  it('does not wait until it is made, and nothing of what was made stays', async () => {
    const sources = [
      await core.partial(first),
      await core.partial(first),
      await core.partial(second),
    ]
    const slow = standingStill()
    const making = slow.concatenate(sources)
    const over = Promise.allSettled([making])
    await slow.began
    const [id = ''] = (await witness.ids()).filter((each) => !sources.includes(each))
    expect(await witness.stateOf(id)).toBe('assembling')
    expect(await core.remove(id)).toBe(true)
    expect(await over).toMatchObject([{ status: 'rejected', reason: { code: 'bad-concat' } }])
    await expectNothingLeft()
    expect(await witness.events()).toEqual([['upload.removed', id]])
  })

  it('is known at once to others that wait until it is made', async () => {
    const sources = [await core.partial(first), await core.partial(second)]
    const slow = standingStill()
    const making = slow.concatenate(sources)
    await slow.began
    const waiting = core.concatenate(sources)
    const over = Promise.allSettled([making, waiting])
    const [id = ''] = (await witness.ids()).filter((each) => !sources.includes(each))
    expect(await core.remove(id)).toBe(true)
    const gone = {
      status: 'rejected',
      reason: { status: expect.toSatisfy((status) => status < 500) },
    }
    expect(await over).toMatchObject([gone, gone])
    await expectNothingLeft()
  })

  it('refuses to remove a part while it is made, and it is made all the same', async () => {
    const sources = [await core.partial(first), await core.partial(second)]
    const slow = standingStill()
    const stopping = new AbortController()
    const making = slow.concatenate(sources, {}, stopping.signal)
    const over = Promise.allSettled([making])
    await slow.began
    const refused = { code: 'upload-locked', status: 423 }
    for (const source of sources) await expect(core.remove(source)).rejects.toMatchObject(refused)
    const [id = ''] = (await witness.ids()).filter((each) => !sources.includes(each))
    // The process stops, and another one goes on.
    await core.leases.drain()
    await over
    const other = concatenating({ database: test.database, storage: under.storage })
    await expectSound(other, test.database, under)
    expect(await witness.digest(id)).toBe(sha256(Buffer.concat([first, second])))
  })

  it('leaves it as it is when a part goes whose bytes it has', async () => {
    const sources = [await core.partial(first), await core.partial(second)]
    const { id } = await core.concatenate(sources)
    for (const source of sources) expect(await core.remove(source)).toBe(true)
    expect(await witness.ids()).toEqual([id])
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([originalKey(id)])
    expect(await witness.digest(id)).toBe(sha256(Buffer.concat([first, second])))
    expect(await witness.events()).toEqual([['upload.stored', id]])
    expect(await core.remove(id)).toBe(true)
    await expectNothingLeft()
  })

  it('is nothing special for a partial one that nothing is made of', async () => {
    const [stored, open] = [
      await core.partial(first),
      await core.partial(undefined, { length: 10 }),
    ]
    await core.append(open, 0, second.subarray(0, 5))
    for (const id of [stored, open]) expect(await core.remove(id)).toBe(true)
    await expectNothingLeft()
    expect(await witness.events()).toEqual([])
  })

  it('works for what failed or expired with one of its parts', async () => {
    for (const way of ['removed', 'expired']) {
      const [kept, going] = [
        await core.partial(second),
        await core.partial(undefined, { length: 10 }),
      ]
      const { id } = await core.concatenate([kept, going])
      if (way === 'removed') await core.remove(going)
      else {
        const { queries } = test.database
        await queries
          .updateTable('uploads')
          .set({ expires_at: 1 })
          .where('id', '=', going)
          .execute()
        await witness.sweep()
      }
      expect(await witness.stateOf(id)).toBe(way === 'removed' ? 'failed' : 'expired')
      expect(await core.remove(id)).toBe(true)
      expect(await witness.row(id)).toBeUndefined()
      await witness.sweep(Date.now() + 30 * 86_400_000)
    }
    await witness.sweep(Date.now() + 60 * 86_400_000)
    await expectNothingLeft()
  })
})
