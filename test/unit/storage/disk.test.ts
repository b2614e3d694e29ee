import { mkdir, mkdtemp, readFile, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hasLocalFiles, type LocalFiles, type Storage } from '../../../src/storage/contract.ts'
import { createDiskStorage } from '../../../src/storage/disk/disk-storage.ts'
import { inDirectory } from '../../../src/storage/disk/files.ts'
import { contentOf, inChunks, TestLedger } from '../../support/storage.ts'

describe('storage on the disk', () => {
  let directory: string
  let storage: Storage & LocalFiles

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'landfall-disk-'))
    storage = createDiskStorage(join(directory, 'objects'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('has files that can be opened in place', async () => {
    expect(hasLocalFiles(storage)).toBe(true)
    await storage.put('images/1/thumb.webp', Buffer.from('bytes'), 'image/webp')
    expect(String(await readFile(storage.pathOf('images/1/thumb.webp')))).toBe('bytes')
  })

  it.each(['../x', 'a/../../x', '/etc/passwd', '', 'a//b', '.', 'a\\b', 'a\0b', 'a/./b'])(
    'refuses the key %j',
    async (key) => {
      expect(() => storage.pathOf(key)).toThrow(expect.objectContaining({ code: 'bad-key' }))
    },
  )

  it('removes directories that became empty, and no others', async () => {
    await storage.put('images/1/a', Buffer.from('a'), 'text/plain')
    await storage.put('images/2/a', Buffer.from('a'), 'text/plain')
    await storage.remove(['images/1/a'])
    await expect(stat(storage.pathOf('images/1'))).rejects.toThrow('ENOENT')
    expect((await stat(storage.pathOf('images/2/a'))).size).toBe(1)
    await storage.remove(['images/2/a'])
    await expect(stat(storage.pathOf('images'))).rejects.toThrow('ENOENT')
    expect((await stat(join(directory, 'objects'))).isDirectory()).toBe(true)
  })

  it('makes a directory again that was removed as empty before anything was in it', async () => {
    const path = join(directory, 'a', 'b')
    let removals = 2
    await inDirectory(path, async () => {
      if (removals-- > 0) await rmdir(path)
      await writeFile(join(path, 'file'), 'x')
    })
    expect((await stat(join(path, 'file'))).size).toBe(1)
  })

  it('truncates what is beyond the recorded offset', async () => {
    const content = contentOf(1_000)
    const ledger = new TestLedger(3_000)
    await ledger.append(storage, content)
    const path = `${storage.pathOf(ledger.key)}.partial`
    await writeFile(path, Buffer.concat([content, Buffer.alloc(1_500)]))
    await ledger.appendBody(storage, inChunks(Buffer.from('x')))
    expect((await stat(path)).size).toBe(1_001)
    await writeFile(path, Buffer.alloc(5_000))
    await ledger.complete(storage)
    expect(await storage.head(ledger.key)).toEqual({ size: 1_001 })
  })

  it('reports a file that is shorter than what was recorded', async () => {
    const ledger = new TestLedger(3_000)
    await ledger.append(storage, contentOf(1_000))
    await writeFile(`${storage.pathOf(ledger.key)}.partial`, Buffer.alloc(999))
    await expect(ledger.append(storage, contentOf(3_000))).rejects.toMatchObject({
      code: 'upload-lost',
    })
    await expect(ledger.complete(storage)).rejects.toMatchObject({ code: 'upload-lost' })
    expect(await storage.head(ledger.key)).toBeUndefined()
  })

  it('takes no file of another size for the whole one', async () => {
    const ledger = new TestLedger()
    await ledger.append(storage, contentOf(1_000))
    await rm(`${storage.pathOf(ledger.key)}.partial`)
    await writeFile(storage.pathOf(ledger.key), Buffer.alloc(1_001))
    await expect(ledger.complete(storage)).rejects.toMatchObject({ code: 'upload-lost' })
  })

  it('sweeps what an earlier run left in the making, and nothing of this one', async () => {
    const made = join(directory, 'objects', '.tmp')
    await mkdir(made, { recursive: true })
    const [old, fresh] = [join(made, 'old'), join(made, 'fresh')]
    await writeFile(old, 'x')
    await writeFile(fresh, 'x')
    await utimes(old, 0, 0)
    await storage.check()
    await expect(stat(old)).rejects.toThrow('ENOENT')
    expect((await stat(fresh)).size).toBe(1)
  })

  it('leaves nothing when a file cannot be stored', async () => {
    await expect(
      storage.putFile('images/1', join(directory, 'none'), 'image/png'),
    ).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(await storage.head('images/1')).toBeUndefined()
  })

  it('names the setting and the directory when it cannot be used', async () => {
    await writeFile(join(directory, 'file'), '')
    const unusable = createDiskStorage(join(directory, 'file', 'objects'))
    await expect(unusable.check()).rejects.toMatchObject({
      code: 'storage-unusable',
      message: expect.stringMatching(/^DATA_DIR.*\/file\/objects.*ENOTDIR/),
    })
    await expect(unusable.ping()).rejects.toMatchObject({ code: 'storage-unavailable' })
  })
})
