import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import { PostponedJobError } from '../../src/queue/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { discardHandler, removeObjectsHandler } from '../../src/uploads/discard.ts'
import { claimLease, releaseLease } from '../../src/uploads/lease-records.ts'
import { findUpload, markStored } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, leaseOf, leasesOf, never, writer } from '../support/leases.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import {
  begunUpload,
  jobsOf,
  record,
  recordsOf,
  uploadCore,
  wholeUpload,
} from '../support/uploads.ts'

const attempt = { jobId: 'job', number: 1, signal: never }

describe.each(databaseTargets)('removing an upload on $name', (target) => {
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

  const core = (given: Partial<Parameters<typeof uploadCore>[0]> = {}) =>
    uploadCore({ database: test.database, storage: disk.storage, ...given })
  const find = (id: string) => findUpload(test.database.queries, id)
  const stored = async () => {
    const id = await wholeUpload(test.database)
    const lease = await leaseOf(test.database, id)
    await test.database.transaction(async (trx) => {
      const upload = await markStored(trx, lease)
      if (upload) await core().listener.stored(trx, upload)
    })
    return id
  }

  it('takes all records at once, and leaves the objects to durable jobs', async () => {
    const id = await stored()
    const { database } = test
    await database.queries
      .insertInto('renditions')
      .values({
        image_id: id,
        preset: 'former',
        format: 'webp',
        content_type: 'image/webp',
        width: 1,
        height: 1,
        size: 1,
        storage_key: `images/${id}/former.webp`,
        etag: 'e',
      })
      .execute()
    const { remove, queue } = core()
    expect(await remove(id)).toBe(true)
    expect(queue.woken).toBe(1)
    expect(await remove(id)).toBe(false)
    expect(await find(id)).toBeUndefined()
    expect(await database.queries.selectFrom('renditions').selectAll().execute()).toEqual([])
    const jobs = await jobsOf(database)
    expect(jobs).toContainEqual({
      kind: 'upload.discard',
      payload: { id, multipartId: null, tailEpoch: 0 },
    })
    const removal = jobs.find(({ kind }) => kind === 'storage.remove')
    expect(JSON.stringify(removal?.payload)).toContain(`images/${id}/former.webp`)
    expect(await recordsOf(database, id)).toMatchObject({ images: 0, events: 1 })
  })

  it.each(['receiving', 'assembling', 'failed', 'expired'] as const)(
    'works for one that is %s, with its parts, and tells storage of its multipart upload',
    async (state) => {
      const id = await begunUpload(test.database, { length: 30 })
      const lease = await leaseOf(test.database, id)
      const parts = [{ number: 1, size: 10, etag: 'e' }]
      await record(test.database, lease, 10, { multipartId: 'm', parts })
      await releaseLease(test.database.queries, lease)
      await test.database.queries.updateTable('uploads').set({ state }).execute()
      expect(await core().remove(id)).toBe(true)
      expect(await find(id)).toBeUndefined()
      const left = await test.database.queries.selectFrom('upload_parts').selectAll().execute()
      expect(left).toEqual([])
      expect(await jobsOf(test.database)).toContainEqual({
        kind: 'upload.discard',
        payload: { id, multipartId: 'm', tailEpoch: 0 },
      })
    },
  )

  it('knows nothing of what was never there', async () => {
    expect(await core().remove(newId())).toBe(false)
    expect(await jobsOf(test.database)).toEqual([])
  })

  it('waits for the request that is writing, which records what it has first', async () => {
    const leases = leasesOf(test.database)
    const id = await begunUpload(test.database)
    const writing = writer(leases, id, {
      work: async (lease) => {
        await aborted(lease.letGo)
        await record(test.database, lease, 5, { multipartId: 'late' })
      },
    })
    await writing.began
    const removing = core({ leases }).remove(id)
    writing.finish()
    expect(await removing).toBe(true)
    await expect(writing.over).resolves.toBeUndefined()
    expect(await jobsOf(test.database)).toContainEqual({
      kind: 'upload.discard',
      payload: { id, multipartId: 'late', tailEpoch: 0 },
    })
  })

  it('is refused with 423 while a request does not let go, and nothing is removed', async () => {
    const leases = leasesOf(test.database, { times: { patience: 50 } })
    const id = await begunUpload(test.database)
    const writing = writer(leases, id)
    await writing.began
    const refused = { code: 'upload-locked', status: 423 }
    await expect(core({ leases }).remove(id)).rejects.toMatchObject(refused)
    expect(await find(id)).toMatchObject({ state: 'receiving' })
    writing.finish()
    await writing.over
  })

  it('is given up with its client', async () => {
    const id = await begunUpload(test.database)
    const gone = AbortSignal.abort(new Error('the client is gone'))
    await expect(core().remove(id, gone)).rejects.toThrow('the client is gone')
    expect(await find(id)).toMatchObject({ id })
  })

  it('leaves everything as it is when a part of it cannot be written', async () => {
    const id = await stored()
    const { queue } = core()
    const listener = {
      headSize: 0,
      typeOf: async () => undefined,
      examine: () => Promise.reject(new Error('nothing arrives')),
      stored: async () => [],
      removing: () => Promise.reject(new Error('the power went')),
    }
    await expect(core({ listener }).remove(id)).rejects.toThrow('the power went')
    expect(await find(id)).toMatchObject({ state: 'stored', lease: undefined })
    expect((await jobsOf(test.database)).map(({ kind }) => kind)).toEqual(['image.convert'])
    expect(queue.woken).toBe(0)
  })

  it('lets the writer of a removed upload record nothing any more', async () => {
    const id = await begunUpload(test.database)
    const until = Date.now() - 1
    const lease = { holder: 'elsewhere', token: newId(), until }
    await claimLease(test.database.queries, id, lease)
    expect(await core().remove(id)).toBe(true)
    const late = record(test.database, { ...(await bystander()), id, token: lease.token }, 5)
    await expect(late).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await find(id)).toBeUndefined()
  })

  const bystander = async () => leaseOf(test.database, await begunUpload(test.database))
})

describe('the jobs that clear storage', () => {
  it('invariant 8: remove what the ledger named, and nothing else', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const [id, other] = [newId(), newId()]
    for (const key of [originalKey(id), originalKey(other), `images/${id}/a`, 'strange/thing']) {
      await disk.storage.put(key, Buffer.from('x'), 'any/type')
    }
    await discardHandler(disk.storage).run({ id, multipartId: null, tailEpoch: 0 }, attempt)
    await discardHandler(disk.storage).run({ id, multipartId: null, tailEpoch: 0 }, attempt)
    await removeObjectsHandler(disk.storage).run({ keys: [`images/${id}/a`] }, attempt)
    expect(await disk.listKeys()).toEqual([originalKey(other), 'strange/thing'].toSorted())
  })

  it('are tried again, however long storage is away', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const away = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    const storage = { ...disk.storage, discard: away, remove: away }
    const discarding = discardHandler(storage).run(
      { id: newId(), multipartId: 'm', tailEpoch: 0 },
      attempt,
    )
    await expect(discarding).rejects.toBeInstanceOf(PostponedJobError)
    const removing = removeObjectsHandler(storage).run({ keys: ['a'] }, attempt)
    await expect(removing).rejects.toBeInstanceOf(PostponedJobError)
  })

  it.each([
    ['m', 'm'],
    ['', ''],
    [null, undefined],
  ])('name the multipart upload as it was recorded: %j', async (multipartId, expected) => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const seen: unknown[] = []
    const storage = {
      ...disk.storage,
      discard: async (position: object) => void seen.push(position),
    }
    await discardHandler(storage).run({ id: 'an-id', multipartId, tailEpoch: 2 }, attempt)
    expect(seen).toEqual([expect.objectContaining({ id: 'an-id', multipartId: expected })])
  })
})
