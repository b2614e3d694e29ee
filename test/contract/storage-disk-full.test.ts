import { readFile, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDiskStorage } from '../../src/storage/disk/disk-storage.ts'
import { mountSmall } from '../support/small-disk.ts'
import { contentOf, MiB, storeSources, TestLedger } from '../support/storage.ts'

const full = { code: 'storage-full', status: 507 }

describe('a full disk', () => {
  it('is a 507, keeps what fitted, and lets the upload go on when there is room', async (context) => {
    using disk = mountSmall(24)
    if ('missing' in disk) return context.skip(disk.missing)
    const storage = createDiskStorage(disk.directory)
    const ballast = 'images/ballast'
    await storage.put(ballast, Buffer.alloc(4 * MiB), 'text/plain')
    const content = contentOf(23 * MiB)
    const ledger = new TestLedger(content.length)
    let roomToRecord = 0
    ledger.beforeRecord = async () => {
      const { bavail, bsize } = await statfs(disk.directory)
      roomToRecord = bavail * bsize
    }
    await expect(ledger.append(storage, content)).rejects.toMatchObject(full)
    expect(roomToRecord).toBeGreaterThanOrEqual(200 * 1024)
    const { offset } = ledger.position
    expect(offset).toBeGreaterThan(19 * MiB)
    expect(offset).toBeLessThan(content.length)
    await expect(ledger.append(storage, content)).rejects.toMatchObject(full)
    expect(ledger.position.offset).toBeGreaterThanOrEqual(offset)
    await expect(storage.put('images/x', content, 'image/png')).rejects.toMatchObject(full)
    await storage.remove([ballast])
    await ledger.append(storage, content)
    expect((await readFile(storage.pathOf(ledger.key))).equals(content)).toBe(true)
  })

  it('is a 507 for bytes that are not verified yet, and none of them counts', async (context) => {
    using disk = mountSmall(24)
    if ('missing' in disk) return context.skip(disk.missing)
    const storage = createDiskStorage(disk.directory)
    const content = contentOf(30 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content, 5 * MiB)
    let roomToRecord = Infinity
    ledger.beforeRecord = async () => {
      const { bavail, bsize } = await statfs(disk.directory)
      roomToRecord = Math.min(roomToRecord, bavail * bsize)
    }
    const verify = () => {}
    const appended = ledger.append(storage, content, content.length, 65_536, { verify })
    await expect(appended).rejects.toMatchObject(full)
    expect(ledger.position.offset).toBe(5 * MiB)
    expect(roomToRecord).toBeGreaterThanOrEqual(200 * 1024)
    const { bavail, bsize } = await statfs(disk.directory)
    expect(bavail * bsize).toBeGreaterThan(18 * MiB)
    ledger.beforeRecord = () => {}
    await ledger.append(storage, content, 20 * MiB, 65_536, { verify })
    const stored = await readFile(`${storage.pathOf(ledger.key)}.partial`)
    expect(stored.equals(content.subarray(0, 20 * MiB))).toBe(true)
  })

  it('has room to join uploads in if there is room for one of them again', async (context) => {
    using disk = mountSmall(42)
    if ('missing' in disk) return context.skip(disk.missing)
    const storage = createDiskStorage(disk.directory)
    const contents = [10, 9, 8, 5].map((size, each) => contentOf(size * MiB, each))
    const sources = await storeSources(storage, contents)
    const whole = Buffer.concat(contents)
    const ledger = new TestLedger(whole.length)
    const read = () => readFile(`${storage.pathOf(ledger.key)}.partial`)
    // There are 10 MiB left: 9 for the second one, which the first does not need.
    const ballast = 'images/ballast'
    await storage.put(ballast, Buffer.alloc(6 * MiB), 'text/plain')
    await expect(ledger.concatenate(storage, sources)).rejects.toMatchObject(full)
    const { offset } = ledger.position
    expect(offset).toBeGreaterThanOrEqual(10 * MiB)
    expect((await read()).subarray(0, offset).equals(whole.subarray(0, offset))).toBe(true)
    await storage.remove([ballast])
    await ledger.concatenate(storage, sources)
    expect((await read()).equals(whole)).toBe(true)
    await ledger.complete(storage)
  })

  it('is foreseen, with a reserve for the database', async (context) => {
    using disk = mountSmall(24)
    if ('missing' in disk) return context.skip(disk.missing)
    const storage = createDiskStorage(join(disk.directory, 'not', 'made', 'yet'))
    await storage.requireRoom(7 * MiB)
    await expect(storage.requireRoom(9 * MiB)).rejects.toMatchObject(full)
    await storage.put('images/x', Buffer.alloc(2 * MiB), 'image/png')
    await expect(storage.requireRoom(7 * MiB)).rejects.toMatchObject(full)
  })

  it('is foreseen in a directory that is not there yet', async () => {
    const storage = createDiskStorage(join(tmpdir(), 'landfall-none', 'objects'))
    await storage.requireRoom(0)
    await expect(storage.requireRoom(2 ** 50)).rejects.toMatchObject({
      ...full,
      message: 'There is no room left in storage.',
    })
  })
})
