import { execFileSync } from 'node:child_process'
import { readFile, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDiskStorage } from '../../src/storage/disk/disk-storage.ts'
import { contentOf, MiB, TestLedger } from '../support/storage.ts'

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

type SmallDisk = Disposable & ({ readonly directory: string } | { readonly missing: string })

/** A file system of a few MiB, or the reason why there is none. */
function mountSmall(mebibytes: number): SmallDisk {
  const missing = (reason: string) => ({ missing: reason, [Symbol.dispose]() {} })
  if (process.getuid?.() !== 0) return missing('mounting needs root')
  const run = (...[command = '', ...args]: string[]) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  const directory = run('mktemp', '-d')
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory)
  } catch {
    run('rmdir', directory)
    return missing('mount is not allowed here')
  }
  return {
    directory,
    [Symbol.dispose]() {
      run('umount', directory)
      run('rmdir', directory)
    },
  }
}
