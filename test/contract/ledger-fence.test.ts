import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultPresets } from '../../src/conversion/presets.ts'
import { newId } from '../../src/ids.ts'
import { imageListener } from '../../src/images/upload-listener.ts'
import { declareLength } from '../../src/uploads/declare.ts'
import type { Lease } from '../../src/uploads/held-lease.ts'
import {
  claimLease,
  findWanted,
  releaseLease,
  renewLeases,
  voidLeases,
  wantLease,
} from '../../src/uploads/lease-records.ts'
import { findUpload, markFailed, markStored } from '../../src/uploads/ledger.ts'
import { createRemoveUpload } from '../../src/uploads/remove.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, leasesOf, takeFrom } from '../support/leases.ts'
import type { StorageUnderTest } from '../support/storage.ts'
import { startDisk } from '../support/storage.ts'
import {
  begunUpload,
  idleQueue,
  jobsOf,
  progressTo,
  record,
  uploadCore,
} from '../support/uploads.ts'

/** In each of these the lease that a write comes with is no longer the one the ledger has. */
const waysToLoseIt = {
  'somebody else took it': async (test: TestDatabase, fence: Lease) => {
    const until = Date.now() + 60_000
    const lease = { holder: 'other', token: newId(), until }
    await takeFrom(test.database, fence, lease)
  },
  'it was given back': (test: TestDatabase, fence: Lease) =>
    releaseLease(test.database.queries, fence),
  'its process was taken for dead': (test: TestDatabase) =>
    voidLeases(test.database.queries, ['somebody']),
  'another lease of the same process followed': async (test: TestDatabase, fence: Lease) => {
    await releaseLease(test.database.queries, fence)
    await leaseOf(test.database, fence.id)
  },
}

describe.each(databaseTargets)(
  'invariant 7: every write is fenced by the lease, on $name',
  (target) => {
    let test: TestDatabase
    let disk: StorageUnderTest
    beforeAll(async () => {
      test = await target.create()
      disk = await startDisk()
    })
    afterAll(async () => {
      await disk.close()
      await test.cleanup()
    })

    const begin = async (length: number | undefined, offset = 0): Promise<Lease> => {
      const id = await begunUpload(test.database, { length })
      const fence = await leaseOf(test.database, id)
      if (offset > 0) await record(test.database, fence, offset)
      return fence
    }
    const rowOf = async ({ id }: Lease) =>
      test.database.queries.selectFrom('uploads').selectAll().where('id', '=', id).execute()

    describe.each(Object.entries(waysToLoseIt))('when %s', (_, lose) => {
      const lost = { code: 'lease-lost', status: 423 }

      it('progress is refused, with its parts', async () => {
        const fence = await begin(10)
        await lose(test, fence)
        const before = await rowOf(fence)
        const parts = [{ number: 1, size: 5, etag: 'late' }]
        await expect(record(test.database, fence, 5, { parts })).rejects.toMatchObject(lost)
        expect(await rowOf(fence)).toEqual(before)
        expect(
          await test.database.queries.selectFrom('upload_parts').selectAll().execute(),
        ).toEqual([])
      })

      it('a length is refused', async () => {
        const fence = await begin(undefined, 5)
        await lose(test, fence)
        const before = await rowOf(fence)
        const declared = declareLength(test.database.queries, fence, 10)
        await expect(declared).rejects.toMatchObject(lost)
        expect(await rowOf(fence)).toEqual(before)
      })

      it('storing is refused, with the image, the job and the event', async () => {
        const fence = await begin(10, 10)
        const { finish, queue } = uploadCore({
          database: test.database,
          storage: { ...disk.storage, complete: async () => {} },
        })
        await lose(test, fence)
        const before = await rowOf(fence)
        await expect(finish.assemble(fence)).rejects.toMatchObject(lost)
        expect(await test.database.transaction((trx) => markStored(trx, fence))).toBeUndefined()
        expect(await rowOf(fence)).toEqual(before)
        expect(await jobsOf(test.database)).toEqual([])
        expect(queue.woken).toBe(0)
      })

      it('storing a whole object is refused', async () => {
        const fence = await begin(10)
        const { finish } = uploadCore({ database: test.database, storage: disk.storage })
        await lose(test, fence)
        const before = await rowOf(fence)
        const whole = progressTo(10, { whole: true })
        await expect(finish.recordWhole(fence, whole)).rejects.toMatchObject(lost)
        expect(await rowOf(fence)).toEqual(before)
        expect(await jobsOf(test.database)).toEqual([])
      })

      it('a failure is not written down', async () => {
        const fence = await begin(10, 5)
        await lose(test, fence)
        const before = await rowOf(fence)
        await markFailed(test.database.queries, fence, 'Storage no longer has all of the bytes.')
        expect(await rowOf(fence)).toEqual(before)
      })

      it('giving it back and asking for it change nothing', async () => {
        const fence = await begin(10, 5)
        await lose(test, fence)
        const before = await rowOf(fence)
        await releaseLease(test.database.queries, fence)
        await wantLease(test.database.queries, fence)
        expect(await rowOf(fence)).toEqual(before)
      })
    })

    it('a removal that lost its lease in the middle removes nothing', async () => {
      const { id } = await begin(10, 5)
      await voidLeases(test.database.queries, ['somebody'])
      const queue = idleQueue()
      const listener = {
        ...imageListener(queue, defaultPresets),
        // On the transaction itself: SQLite has one connection.
        removing: async (trx: Parameters<typeof findUpload>[0]) => {
          await voidLeases(trx, ['here'])
          return []
        },
      }
      const leases = leasesOf(test.database)
      const remove = createRemoveUpload({ database: test.database, queue, listener, leases })
      await expect(remove(id)).rejects.toMatchObject({ code: 'lease-lost' })
      expect(await findUpload(test.database.queries, id)).toMatchObject({ offset: 5 })
      expect(await jobsOf(test.database)).toEqual([])
    })

    it('a lease is taken once it was given up by its token, and not before', async () => {
      const { queries } = test.database
      const { id, token } = await begin(10)
      const mine = { holder: 'me', token: newId(), until: Date.now() + 60_000 }
      await releaseLease(queries, { id, token: 'a token from before' })
      expect(await claimLease(queries, id, mine)).toBeUndefined()
      await releaseLease(queries, { id, token })
      expect(await claimLease(queries, id, mine)).toMatchObject({ id, lease: mine })
    })

    it('who takes a lease is not asked for it by those who asked the last holder', async () => {
      const { queries } = test.database
      const fence = await begin(10)
      await wantLease(queries, fence)
      expect(await findWanted(queries, 'somebody')).toEqual(new Set([fence.token]))
      const mine = { holder: 'me', token: newId(), until: Date.now() + 60_000 }
      await takeFrom(test.database, fence, mine)
      expect(await findWanted(queries, 'me')).toEqual(new Set())
      await voidLeases(queries, ['me'])
    })

    it('a process renews its own leases only, and learns which it has', async () => {
      const { queries } = test.database
      const [mine, other] = [await begin(10), await begin(10)]
      await voidLeases(queries, ['somebody'])
      const token = newId()
      await claimLease(queries, mine.id, { holder: 'me', token, until: Date.now() + 60_000 })
      await claimLease(queries, other.id, { holder: 'you', token: newId(), until: 5 })
      const until = Date.now() + 90_000
      expect(await renewLeases(queries, 'me', [token, other.token], until)).toEqual(
        new Set([token]),
      )
      expect((await findUpload(queries, mine.id))?.lease).toMatchObject({ until })
      expect((await findUpload(queries, other.id))?.lease).toMatchObject({ until: 5 })
    })
  },
)
