import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { releaseLease } from '../../src/uploads/lease-records.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import type { UploadListener } from '../../src/uploads/listener.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, never } from '../support/leases.ts'
import {
  contentOf,
  digestOf,
  inChunks,
  type StorageUnderTest,
  sha256,
  startDisk,
} from '../support/storage.ts'
import {
  begunUpload,
  countCalls,
  jobsOf,
  positionOf,
  progressTo,
  record,
  recordsOf,
  uploadCore,
} from '../support/uploads.ts'

const content = contentOf(100_000)
const stored = { state: 'stored', images: 1, jobs: 1, events: 1 }

describe.each(databaseTargets)('finishing an upload on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  const core = (storage: Storage = disk.storage, listener?: UploadListener) =>
    uploadCore({ database: test.database, storage, ...(listener && { listener }) })
  /** Receives all bytes, as a request does, and stops right before the upload is finished. */
  async function receive(): Promise<string> {
    const id = await begunUpload(test.database, { length: content.length })
    const fence = await leaseOf(test.database, id)
    const position = { ...(await positionOf(test.database, id)), length: undefined }
    const keep = ({ offset, tail }: { offset: number; tail: undefined }) =>
      record(test.database, fence, offset, { tail })
    await disk.storage.append(
      position,
      inChunks(content),
      (progress) => keep({ ...progress, tail: undefined }),
      never,
    )
    await releaseLease(test.database.queries, fence)
    return id
  }
  const leaseAnd = async (id: string, finish = core().finish) =>
    finish.assemble(await leaseOf(test.database, id))

  it('invariant 6: stores the upload with its image, its job and its event', async () => {
    const id = await receive()
    const { finish, queue } = core()
    expect(await leaseAnd(id, finish)).toMatchObject({ id, state: 'stored', lease: undefined })
    expect(await recordsOf(test.database, id)).toEqual(stored)
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
    expect(queue.woken).toBe(1)
  })

  it.each(['assemble', 'recordWhole'] as const)(
    'invariant 6: %s writes none of it when one part cannot be written, and can be done again',
    async (way) => {
      const { finish, listener } = core()
      const broken: UploadListener = {
        ...listener,
        async stored(trx, upload) {
          await listener.stored(trx, upload)
          throw new Error('the power went')
        },
      }
      const id = way === 'assemble' ? await receive() : await begunUpload(test.database)
      const lease = await leaseOf(test.database, id)
      const run = ({ finish: { assemble, recordWhole } }: Pick<typeof core2, 'finish'>) =>
        way === 'assemble' ? assemble(lease) : recordWhole(lease, progressTo(10, { whole: true }))
      const core2 = core(disk.storage, broken)
      const before = await findUpload(test.database.queries, id)
      await expect(run(core2)).rejects.toThrow('the power went')
      expect(await findUpload(test.database.queries, id)).toEqual(before)
      expect(await recordsOf(test.database, id)).toMatchObject({ images: 0, jobs: 0, events: 0 })
      expect(core2.queue.woken).toBe(0)
      await run({ finish })
      expect(await recordsOf(test.database, id)).toEqual(stored)
    },
  )

  it.each(['assemble', 'recordWhole'] as const)(
    'says with %s that the lease has ended, once it has and not before',
    async (way) => {
      const id = way === 'assemble' ? await receive() : await begunUpload(test.database)
      let ended = 0
      const markEnded = () => {
        ended += 1
      }
      const lease = { ...(await leaseOf(test.database, id)), markEnded }
      const { finish } = core()
      const run = (fence: typeof lease) =>
        way === 'assemble'
          ? finish.assemble(fence)
          : finish.recordWhole(fence, progressTo(10, { whole: true }))
      await expect(run({ ...lease, token: 'lost' })).rejects.toMatchObject({ code: 'lease-lost' })
      expect(ended).toBe(0)
      await run(lease)
      expect(ended).toBe(1)
    },
  )

  it('does it once, however often and at the same time it is asked', async () => {
    const id = await receive()
    const lease = await leaseOf(test.database, id)
    const [one, other] = [core(), core()]
    const outcomes = await Promise.allSettled(
      [one, one, other, other].map(({ finish }) => finish.assemble(lease)),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(one.finish.assemble(lease)).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await recordsOf(test.database, id)).toEqual(stored)
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })

  it('invariant 5: storage is told to assemble only what the ledger calls assembling', async () => {
    const seen: unknown[] = []
    const id = await begunUpload(test.database, { length: content.length })
    const watching: Storage = {
      ...disk.storage,
      // Progress to the end, without the object: what storage of parts does.
      append: async (position, body, recordProgress, signal) => {
        const open = { ...position, length: undefined }
        const to = (offset: number) => recordProgress(progressTo(offset))
        return disk.storage.append(open, body, ({ offset }) => to(offset), signal)
      },
      complete: async (position, parts) => {
        seen.push((await findUpload(test.database.queries, id))?.state, position.offset, parts)
        await disk.storage.complete(position, parts)
      },
    }
    const { receive: via, leases } = core(watching)
    const received = await leases.hold(id, never, async (_, lease) => {
      if (!lease) throw new Error('no lease')
      return via(lease, inChunks(content))
    })
    expect(seen).toEqual(['assembling', content.length, []])
    expect(received).toMatchObject({ offset: content.length, stored: true })
    expect(await recordsOf(test.database, id)).toEqual(stored)
  })

  it('hands storage all recorded parts, in order', async () => {
    const id = await begunUpload(test.database, { length: 30 })
    const lease = await leaseOf(test.database, id)
    const parts = [1, 2, 3].map((number) => ({ number, size: 10, etag: `"${number}"` }))
    await record(test.database, lease, 20, { multipartId: 'm', parts: parts.slice(0, 2) })
    await record(test.database, lease, 30, { multipartId: 'm', parts: parts.slice(2) })
    const given: unknown[] = []
    const storage: Storage = {
      ...disk.storage,
      complete: async (position, all) => void given.push(position, all),
    }
    await core(storage).finish.assemble(lease)
    expect(given).toEqual([
      expect.objectContaining({ id, length: 30, offset: 30, multipartId: 'm', partCount: 3 }),
      parts,
    ])
  })

  it('leaves an upload assembling while storage is away', async () => {
    const id = await receive()
    const away = {
      ...disk.storage,
      complete: () => Promise.reject(new AppError('storage-unavailable', 503, 'away')),
    }
    await expect(leaseAnd(id, core(away).finish)).rejects.toMatchObject({
      code: 'storage-unavailable',
    })
    expect(await recordsOf(test.database, id)).toMatchObject({ state: 'assembling', images: 0 })
  })

  it('invariant 5: reports an upload whose bytes are gone as failed, never as stored', async () => {
    const id = await receive()
    await disk.storage.discard(await positionOf(test.database, id))
    await expect(leaseAnd(id)).rejects.toMatchObject({ code: 'upload-lost', status: 410 })
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'failed',
      images: 0,
      jobs: 0,
      events: 0,
    })
  })

  it('leaves nothing of an upload that was deleted while its object was being made', async () => {
    const id = await receive()
    const { finish } = core({
      ...disk.storage,
      complete: async (position, parts) => {
        await test.database.queries.deleteFrom('uploads').execute()
        await disk.storage.complete(position, parts)
      },
    })
    await expect(leaseAnd(id, finish)).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await jobsOf(test.database)).toEqual([
      { kind: 'upload.discard', payload: { id, multipartId: null, tailEpoch: 0 } },
    ])
  })

  it('leaves nothing of an upload that was given up while its object was being made', async () => {
    const id = await begunUpload(test.database)
    const lease = await leaseOf(test.database, id)
    const { finish } = core()
    // Its lease ran out, it expired, and storage was cleared of it before the object was there.
    await test.database.queries
      .updateTable('uploads')
      .set({ state: 'expired', lease_token: null, lease_holder: null, lease_until: null })
      .execute()
    const late = finish.recordWhole(lease, progressTo(10, { whole: true }))
    await expect(late).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await jobsOf(test.database)).toEqual([
      { kind: 'upload.discard', payload: { id, multipartId: null, tailEpoch: 0 } },
    ])
  })

  it('discards nothing of an upload that somebody else goes on with', async () => {
    const id = await receive()
    const old = await leaseOf(test.database, id)
    await releaseLease(test.database.queries, old)
    const current = await leaseOf(test.database, id)
    const { counted, calls } = countCalls(disk.storage)
    const { finish } = core(counted)
    await expect(finish.assemble(old)).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await jobsOf(test.database)).toEqual([])
    await finish.assemble(current)
    expect(calls).toEqual(['complete', 'complete'])
    expect(await recordsOf(test.database, id)).toEqual(stored)
  })
})
