import { readlinkSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  contentOf,
  digestOf,
  inChunks,
  MiB,
  sha256,
  startDisk,
  TestLedger,
} from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

/** What a disk upload may hold that is not yet in the file. */
const heldLimit = 2 * MiB
const soon = { intervalMs: 1 }

/** What was asked of the file system, seen and disturbed where Node does it. */
class Calls {
  written = 0
  /** Bytes that were written when the last sync that succeeded began. */
  durable = 0
  writes = 0
  fileSyncs = 0
  directorySyncs: string[] = []
  beforeWrite = async () => {}
  beforeSync = async () => {}
  /** Bytes the disk takes of the next writes; then it is full. */
  room = Number.POSITIVE_INFINITY
  /** Bytes the disk takes at a time. */
  most = Number.POSITIVE_INFINITY
  beforeStat = async () => {}

  constructor(handle: FileHandle) {
    const calls = this
    const files: FileHandle = Object.getPrototypeOf(handle)
    const { writev, datasync, sync, stat } = files
    vi.spyOn(files, 'writev').mockImplementation(async function (this: FileHandle, buffers, at) {
      await calls.beforeWrite()
      if (calls.room === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      const taken = Buffer.concat(buffers.map((view) => view as Buffer)).subarray(
        0,
        Math.min(calls.room, calls.most),
      )
      const { bytesWritten } = await writev.call(this, [taken], at)
      calls.writes += 1
      calls.written += bytesWritten
      calls.room -= bytesWritten
      return { bytesWritten, buffers: [...buffers] }
    })
    vi.spyOn(files, 'datasync').mockImplementation(async function (this: FileHandle) {
      const { written } = calls
      await calls.beforeSync()
      await datasync.call(this)
      calls.fileSyncs += 1
      calls.durable = written
    })
    vi.spyOn(files, 'stat').mockImplementation(async function (this: FileHandle) {
      await calls.beforeStat()
      return stat.call(this)
    })
    vi.spyOn(files, 'sync').mockImplementation(async function (this: FileHandle) {
      await sync.call(this)
      calls.directorySyncs.push(readlinkSync(`/proc/self/fd/${this.fd}`))
    })
  }
}

describe('what is recorded of an upload on the disk', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>
  let calls: Calls

  beforeAll(async () => {
    disk = await startDisk()
    await disk.storage.put('uploads/neighbour', Buffer.from('x'), 'text/plain')
  })
  afterAll(() => disk?.close())
  beforeEach(async () => {
    const handle = await open(disk.directory)
    calls = new Calls(handle)
    await handle.close()
  })
  afterEach(() => vi.restoreAllMocks())

  async function expectResumable(ledger: TestLedger, content: Buffer): Promise<void> {
    await ledger.append(disk.storage, content)
    await ledger.complete(disk.storage)
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
  }

  it('was written before a sync began that succeeded, as was the name of the file', async () => {
    const content = contentOf(40 * MiB)
    for (const length of [content.length, undefined]) {
      Object.assign(calls, { written: 0, durable: 0, directorySyncs: [] })
      const ledger = new TestLedger(length)
      ledger.beforeRecord = ({ offset }) => {
        expect(offset).toBeLessThanOrEqual(calls.durable)
        expect(calls.directorySyncs).toContain(`${disk.directory}/uploads`)
      }
      await ledger.append(disk.storage, content)
      expect(ledger.position.offset).toBe(content.length)
      expect(ledger.records.length).toBeGreaterThan(2)
    }
  })

  it('is made durable while more is written, up to 16 MiB', async () => {
    const sync = Promise.withResolvers<void>()
    const content = contentOf(64 * MiB)
    const ledger = new TestLedger(content.length)
    let pulled = 0
    calls.beforeWrite = async () => {
      expect(calls.written - ledger.position.offset).toBeLessThanOrEqual(16 * MiB)
    }
    calls.beforeSync = () => sync.promise
    async function* body() {
      for (; pulled < content.length; pulled += 65_536) {
        expect(pulled - calls.written).toBeLessThanOrEqual(heldLimit)
        yield content.subarray(pulled, pulled + 65_536)
      }
    }
    const appended = ledger.appendBody(disk.storage, body())
    await waitFor(() => calls.written > 14 * MiB, soon)
    expect(ledger.records).toEqual([])
    sync.resolve()
    expect(await appended).toBe(content.length)
    await expectResumable(ledger, content)
  })

  it('arrived while the disk was busy, and waits in at most 2 MiB of memory', async () => {
    const write = Promise.withResolvers<void>()
    const content = contentOf(8 * MiB)
    const ledger = new TestLedger(content.length)
    let pulled = 0
    calls.beforeWrite = () => write.promise
    async function* body() {
      for (; pulled < content.length; pulled += 65_536) {
        expect(pulled - calls.written).toBeLessThanOrEqual(heldLimit)
        yield content.subarray(pulled, pulled + 65_536)
      }
    }
    const appended = ledger.appendBody(disk.storage, body())
    await waitFor(() => pulled > 512 * 1024, soon)
    write.resolve()
    expect(await appended).toBe(content.length)
    expect(calls.writes).toBeLessThanOrEqual(content.length / (256 * 1024))
  })

  it('costs one sync of a small file and one of its name, and nothing to complete', async () => {
    const content = contentOf(200_000)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content)
    expect(ledger.records).toMatchObject([{ offset: content.length, whole: true }])
    expect(calls).toMatchObject({ writes: 1, fileSyncs: 1 })
    expect(calls.directorySyncs).toEqual([`${disk.directory}/uploads`])
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
  })

  it('is the whole object with the last byte, after whatever requests', async () => {
    const content = contentOf(9 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    await ledger.append(disk.storage, content, MiB)
    expect(await disk.storage.head(ledger.key)).toBeUndefined()
    await ledger.append(disk.storage, content)
    expect(ledger.records.map(({ whole }) => whole)).toEqual([false, false, true])
    // One when the file was created, one when it was renamed.
    expect(calls.directorySyncs.length).toBe(2)
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
  })

  it('is not synced again to complete it', async () => {
    const content = contentOf(200_000)
    const ledger = new TestLedger()
    await ledger.append(disk.storage, content)
    Object.assign(calls, { fileSyncs: 0, directorySyncs: [] })
    await ledger.complete(disk.storage)
    expect(calls.fileSyncs).toBe(0)
    expect(calls.directorySyncs).toEqual([`${disk.directory}/uploads`])
  })

  it.each([
    ['EIO', 'storage-unavailable', 503],
    ['ENOSPC', 'storage-full', 507],
    ['EDQUOT', 'storage-full', 507],
  ])('is nothing after a sync that failed with %s', async (code, ours, status) => {
    for (const size of [100_000, 40 * MiB]) {
      const content = contentOf(size)
      const ledger = new TestLedger(size)
      const failAt = size > MiB ? 2 : 1
      let syncs = 0
      calls.beforeSync = async () => {
        syncs += 1
        if (syncs === failAt) throw Object.assign(new Error('sync'), { code })
      }
      calls.durable = 0
      calls.written = 0
      const appended = ledger.append(disk.storage, content)
      await expect(appended).rejects.toMatchObject({ code: ours, status })
      expect(ledger.position.offset).toBe(calls.durable)
      expect(ledger.records.length).toBe(failAt - 1)
      await expectResumable(ledger, content)
    }
  })

  it('tells a body that stands still when a sync failed meanwhile', async () => {
    const ledger = new TestLedger(64 * MiB)
    const sync = Promise.withResolvers<void>()
    calls.beforeSync = () => sync.promise
    async function* body() {
      yield contentOf(9 * MiB)
      await waitFor(() => calls.written === 9 * MiB, soon)
      sync.reject(Object.assign(new Error('sync'), { code: 'EIO' }))
      await new Promise(() => {})
    }
    const appended = ledger.appendBody(disk.storage, body())
    await expect(appended).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(ledger.records).toEqual([])
  })

  it('is what fitted, less what the ledger needs, when the disk is full', async () => {
    for (const room of [3 * MiB, 20 * MiB + 12_345]) {
      const content = contentOf(30 * MiB)
      const ledger = new TestLedger(content.length)
      calls.room = room
      const appended = ledger.append(disk.storage, content)
      await expect(appended).rejects.toMatchObject({ code: 'storage-full', status: 507 })
      expect(ledger.position.offset).toBe(room - 256 * 1024)
      await expect(ledger.append(disk.storage, content)).rejects.toMatchObject({ status: 507 })
      expect(ledger.position.offset).toBe(room - 256 * 1024)
      calls.room = Number.POSITIVE_INFINITY
      await expectResumable(ledger, content)
    }
  })

  it('is right when the disk takes less at a time than it is given', async () => {
    calls.most = 100_001
    const content = contentOf(3 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content)
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
  })

  it('has a durable name again after a crash that came before the ledger was told', async () => {
    const content = contentOf(5_000)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    ledger.beforeRecord = () => Promise.reject(new Error('crash'))
    await expect(ledger.append(disk.storage, content)).rejects.toThrow('crash')
    calls.directorySyncs = []
    ledger.beforeRecord = ({ offset }) => {
      if (offset > 1_000) expect(calls.directorySyncs).not.toEqual([])
    }
    await ledger.append(disk.storage, content, 2_000)
    await expectResumable(ledger, content)
  })

  it.each([
    ['the opening of its file', 'beforeStat', 0],
    ['a write', 'beforeWrite', 1],
    ['a sync', 'beforeSync', 1],
  ] as const)('is nothing after the lease is lost during %s', async (_, call, moreWrites) => {
    const content = contentOf(12 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    calls[call] = () => {
      begun.resolve()
      return end.promise
    }
    const lease = new AbortController()
    const appended = ledger.appendBody(
      disk.storage,
      inChunks(content.subarray(1_000)),
      lease.signal,
    )
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    appended.then(settle, settle)
    await begun.promise
    const { writes } = calls
    const reason = new Error('the lease is lost')
    lease.abort(reason)
    // What does not wait for the call above has come to its end after these.
    for (let i = 0; i < 10; i += 1) await stat(disk.directory)
    expect(isSettled).toBe(false)
    end.resolve()
    await expect(appended).rejects.toBe(reason)
    expect(calls.writes).toBeLessThanOrEqual(writes + moreWrites)
    expect(ledger.position.offset).toBe(1_000)
    await expectResumable(ledger, content)
  })
})
