import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { declareLength } from '../../src/uploads/declare.ts'
import { discardHandler } from '../../src/uploads/discard.ts'
import { createExpiry, expireBatch, expiredQuery } from '../../src/uploads/expire.ts'
import { claimLease, releaseLease } from '../../src/uploads/lease-records.ts'
import { findUpload, markFailed } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, leasesOf, never, silent } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { contentOf, inChunks, startDisk } from '../support/storage.ts'
import {
  begunUpload,
  idleQueue,
  jobsOf,
  progressTo,
  record,
  uploadCore,
  wholeUpload,
} from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

const day = 86_400_000
const week = 7 * day

describe.each(databaseTargets)('expiry on $name', (target) => {
  let test: TestDatabase
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await test.cleanup()
  })

  const sweep = (now = Date.now(), queue = idleQueue()) => expireBatch(test.database, queue, now)
  const find = (id: string) => findUpload(test.database.queries, id)
  const rowOf = (id: string) =>
    test.database.queries.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
  const overdue = () => begunUpload(test.database, { expiresAt: Date.now() - 1 })
  const partlyDone = async () => {
    const id = await begunUpload(test.database, { length: 30 })
    const lease = await leaseOf(test.database, id)
    const parts = [{ number: 1, size: 10, etag: 'e' }]
    const tail = { key: `uploads/${id}.tail`, size: 3, crc32: 7 }
    await record(test.database, lease, 13, { multipartId: 'm', parts, tail })
    await releaseLease(test.database.queries, lease)
    return id
  }
  const discard = (id: string, multipartId: string | null) => ({
    kind: 'upload.discard',
    payload: { id, multipartId, tailEpoch: 0 },
  })

  it('is exact: an upload whose time is over is gone before anything swept it', async () => {
    const id = await begunUpload(test.database, { expiresAt: Date.now() + 300 })
    expect(await find(id)).toMatchObject({ state: 'receiving' })
    await waitFor(async () => (await find(id))?.state === 'expired', { intervalMs: 10 })
    expect(await rowOf(id)).toMatchObject({ state: 'receiving' })
    const leases = leasesOf(test.database)
    const seen = await leases.hold(id, never, async (upload, lease) => [upload.state, lease])
    expect(seen).toEqual(['expired', undefined])
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    const lease = { holder: 'x', token: 't', until: Date.now() + 1_000 }
    expect(await claimLease(test.database.queries, id, lease)).toBeUndefined()
  })

  it('is put off by each progress', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const expiresAt = Date.now() + 60_000
    const id = await begunUpload(test.database, { length: 1_000, expiresAt })
    const { receive, leases } = uploadCore({ database: test.database, storage: disk.storage })
    const before = Date.now()
    const received = await leases.hold(id, never, async (_, lease) =>
      lease ? receive(lease, inChunks(contentOf(500))) : undefined,
    )
    const put = (await find(id))?.expiresAt ?? 0
    expect(put).toBeGreaterThanOrEqual(before + day)
    expect(put).toBeLessThanOrEqual(Date.now() + day)
    expect(received?.expiresAt).toBe(put)
    expect(await sweep(expiresAt + 1)).toBe(0)
    expect(await sweep(put)).toBe(1)
  })

  it('does not come over an upload that is being written to', async () => {
    const id = await begunUpload(test.database, { length: undefined })
    const lease = await leaseOf(test.database, id)
    await test.database.queries.updateTable('uploads').set({ expires_at: 1 }).execute()
    expect(await find(id)).toMatchObject({ state: 'receiving' })
    expect(await sweep()).toBe(0)
    await declareLength(test.database.queries, lease, 30)
    await record(test.database, lease, 5)
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 5 })
    await test.database.queries.updateTable('uploads').set({ expires_at: 1 }).execute()
    await releaseLease(test.database.queries, lease)
    expect(await find(id)).toMatchObject({ state: 'expired' })
    expect(await sweep()).toBe(1)
  })

  it('leaves a writer that went on all the same nothing to record', async () => {
    const id = await begunUpload(test.database)
    const lease = await leaseOf(test.database, id, { lastsMs: -1 })
    await test.database.queries.updateTable('uploads').set({ expires_at: 1 }).execute()
    expect(await sweep()).toBe(1)
    await expect(record(test.database, lease, 5)).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await rowOf(id)).toMatchObject({ state: 'expired', offset: 0, lease_token: null })
  })

  it('clears storage of the upload by a job, and keeps a record that says so', async () => {
    const id = await partlyDone()
    const queue = idleQueue()
    const now = Date.now() + 2 * day
    expect(await sweep(now, queue)).toBe(1)
    expect(await jobsOf(test.database)).toEqual([discard(id, 'm')])
    expect(queue.woken).toBe(1)
    expect(await find(id)).toMatchObject({ state: 'expired', offset: 13 })
    expect(await rowOf(id)).toMatchObject({
      state: 'expired',
      multipart_id: null,
      tail_key: null,
      tail_size: 0,
      tail_crc32: null,
      expires_at: now + week,
    })
    const { queries } = test.database
    expect(await queries.selectFrom('upload_parts').selectAll().execute()).toEqual([])
    const events = await queries.selectFrom('events').select(['type', 'subject']).execute()
    expect(events).toEqual([{ type: 'upload.expired', subject: id }])
    expect(await sweep(now, queue)).toBe(0)
    expect(await jobsOf(test.database)).toHaveLength(1)
  })

  it('forgets the record after a week, and only then', async () => {
    const id = await partlyDone()
    const now = Date.now() + 2 * day
    await sweep(now)
    expect(await sweep(now + week - 1)).toBe(0)
    expect(await find(id)).toMatchObject({ state: 'expired' })
    expect(await sweep(now + week)).toBe(1)
    expect(await find(id)).toBeUndefined()
    expect(await jobsOf(test.database)).toHaveLength(1)
  })

  it('clears storage of a failed upload once, which stays failed', async () => {
    const id = await partlyDone()
    const lease = await leaseOf(test.database, id)
    await markFailed(test.database.queries, lease, 'Storage no longer has all of the bytes.')
    await releaseLease(test.database.queries, lease)
    const now = Date.now() + 2 * day
    expect(await sweep(now)).toBe(1)
    expect(await jobsOf(test.database)).toEqual([discard(id, 'm')])
    expect(await find(id)).toMatchObject({ state: 'failed', failure: expect.any(String) })
    expect(await sweep(now + 1)).toBe(0)
    await sweep(now + 2 * week)
    expect(await jobsOf(test.database)).toHaveLength(1)
    expect(await test.database.queries.selectFrom('events').selectAll().execute()).toEqual([])
  })

  it('invariant 8: never comes over uploads whose bytes are all there, however old', async () => {
    const stored = await begunUpload(test.database)
    const lease = await leaseOf(test.database, stored)
    const { finish } = uploadCore({ database: test.database, storage: (await noStorage()).storage })
    await finish.recordWhole(lease, progressTo(10, { whole: true }))
    const assembling = await wholeUpload(test.database)
    // Also of those that still have a time written down.
    await test.database.queries.updateTable('uploads').set({ expires_at: 1 }).execute()
    const jobs = await jobsOf(test.database)
    expect(await sweep(Date.now() + 1_000 * day)).toBe(0)
    expect(await jobsOf(test.database)).toEqual(jobs)
    expect(await find(stored)).toMatchObject({ state: 'stored' })
    expect(await find(assembling)).toMatchObject({ state: 'assembling' })
  })

  it('invariant 8: touches nothing in storage but what the ledger names', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const id = await begunUpload(test.database, { length: 1_000 })
    const { receive, leases } = uploadCore({ database: test.database, storage: disk.storage })
    await leases.hold(id, never, async (_, lease) =>
      lease ? receive(lease, inChunks(contentOf(500))) : undefined,
    )
    const others = ['somebody/else', originalKey(await wholeUpload(test.database)), 'uploads/x']
    for (const key of others) await disk.storage.put(key, Buffer.from('x'), 'any/type')
    expect(await disk.listKeys()).toHaveLength(4)
    await sweep(Date.now() + 2 * day)
    const attempt = { jobId: 'job', number: 1, signal: never }
    await discardHandler(disk.storage).run({ id, multipartId: null, tailEpoch: 0 }, attempt)
    expect(await disk.listKeys()).toEqual(others.toSorted())
  })

  it('takes a hundred at a time, those that are over longest first, and goes on at once', async () => {
    const begun = Array.from({ length: 120 }, (_, index) =>
      begunUpload(test.database, { expiresAt: 1_000 - index }),
    )
    const ids = await Promise.all(begun)
    expect(await sweep()).toBe(100)
    const left = await expiredQuery(test.database.queries, Date.now(), 1_000).execute()
    expect(left.map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 20).toSorted())
    expect(await sweep()).toBe(20)
    expect(await jobsOf(test.database)).toHaveLength(120)
  })

  it('goes on at once while there is more than a batch, and otherwise on a timer', async () => {
    await Promise.all(Array.from({ length: 120 }, overdue))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { database, statements } = countStatements(test.database)
    const expiry = createExpiry({ database, queue: idleQueue(), logger: silent })
    const sweeps = () => statements.filter((sql) => sql.includes('"uploads"')).length
    expiry.start()
    const jobs = async () => (await jobsOf(test.database)).length
    await waitFor(async () => (await jobs()) === 120)
    await waitFor(() => sweeps() === 2)
    const late = await overdue()
    for (let looks = 0; looks < 20; looks += 1) await database.check()
    expect(sweeps()).toBe(2)
    vi.advanceTimersByTime(5_000)
    await waitFor(async () => (await rowOf(late))?.state === 'expired')
    await expiry.stop()
  })

  it('costs one statement when there is nothing to do', async () => {
    await begunUpload(test.database)
    await wholeUpload(test.database)
    const { database, statements } = countStatements(test.database)
    const transactions = vi.spyOn(database, 'transaction')
    const queue = idleQueue()
    expect(await expireBatch(database, queue, Date.now())).toBe(0)
    expect([statements.length, transactions.mock.calls.length, queue.woken]).toEqual([1, 0, 0])
  })

  it('leaves what somebody went on with between the look and the change', async () => {
    const [kept, taken, gone] = [await overdue(), await overdue(), await overdue()]
    const meanwhile = {
      ...test.database,
      transaction: async (work: Parameters<typeof test.database.transaction>[0]) => {
        const { queries } = test.database
        const soon = { expires_at: Date.now() + day }
        const leased = { lease_until: Date.now() + day }
        await queries.updateTable('uploads').set(soon).where('id', '=', kept).execute()
        await queries.updateTable('uploads').set(leased).where('id', '=', taken).execute()
        return test.database.transaction(work)
      },
    } as typeof test.database
    await expireBatch(meanwhile, idleQueue(), Date.now())
    expect(await find(kept)).toMatchObject({ state: 'receiving' })
    expect(await find(taken)).toMatchObject({ state: 'receiving' })
    expect(await find(gone)).toMatchObject({ state: 'expired' })
    expect(await jobsOf(test.database)).toEqual([discard(gone, null)])
  })

  async function noStorage() {
    const disk = await startDisk()
    await disk.close()
    return disk
  }
})

it('finds what is over by an index of those that can be, however many uploads there are', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, cleanup } = await sqlite.create()
  const compiled = expiredQuery(database.queries, Date.now(), 100).compile()
  const explained = { ...compiled, sql: `explain query plan ${compiled.sql}` }
  const { rows } = await database.queries.executeQuery(explained)
  await cleanup()
  expect(JSON.stringify(rows)).toContain('INDEX uploads_to_expire')
  expect(JSON.stringify(rows)).not.toMatch(/SCAN|TEMP B-TREE/)
})
