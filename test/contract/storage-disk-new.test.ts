import { readdirSync, readlinkSync } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Progress } from '../../src/storage/contract.ts'
import { contentOf, inChunks, startDisk, TestLedger } from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

const content = contentOf(5_000)
const { signal } = new AbortController()

describe('a file on the disk of an upload', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>

  beforeAll(async () => {
    disk = await startDisk()
    await mkdir(join(disk.directory, 'uploads'), { recursive: true })
  })
  afterAll(() => disk?.close())
  afterEach(() => vi.restoreAllMocks())

  it('leaves a moment for other work once all has come, before that is recorded', async () => {
    const ledger = new TestLedger(content.length)
    const order: string[] = []
    const record = async (progress: Progress) => {
      order.push(progress.whole ? 'whole' : 'part')
      await ledger.record(progress)
    }
    const append = (bytes: Buffer) =>
      disk.storage.append(ledger.position, inChunks(bytes), record, signal, {
        whileWaiting: () => order.push('work'),
      })
    await append(content.subarray(0, 2_000))
    expect(order).toEqual(['part'])
    await append(content.subarray(2_000))
    expect(order).toEqual(['part', 'work', 'whole'])
  })

  it.each([0, 2_000])(
    'goes on when its last bytes could not be written, from %i',
    async (before) => {
      const large = contentOf(500_000)
      const ledger = new TestLedger(large.length)
      await ledger.append(disk.storage, large, before)
      const handle = await open(disk.directory)
      const files: FileHandle = Object.getPrototypeOf(handle)
      await handle.close()
      const { writev } = files
      const full = Object.assign(new Error('full'), { code: 'ENOSPC' })
      vi.spyOn(files, 'writev').mockImplementationOnce(async function (
        this: FileHandle,
        [all],
        at,
      ) {
        // Some of them were, as on a disk that fills up.
        vi.mocked(files.writev).mockRejectedValueOnce(full)
        return writev.call(
          this,
          all ? [new Uint8Array(all.buffer, all.byteOffset, 400_000)] : [],
          at,
        )
      })
      const append = () => ledger.append(disk.storage, large, large.length, large.length)
      await expect(append()).rejects.toMatchObject({ code: 'storage-full' })
      expect(ledger.position.offset).toBe(before + 400_000 - 256 * 1_024)
      // It has its final name by now, and is not whole for all that.
      expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
      expect(ledger.records.every(({ whole }) => !whole)).toBe(true)
      expect(await append()).toBe(large.length)
      expect(await readFile(join(disk.directory, ledger.key))).toEqual(large)
      expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
    },
  )

  it('closes the directory it was to be named in, whether it could be or not', async () => {
    const descriptors = () =>
      readdirSync('/proc/self/fd').filter((descriptor) => {
        try {
          return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(disk.directory)
        } catch {
          return false
        }
      })
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content)
    await expect.poll(descriptors).toEqual([])
    const gone = new TestLedger(content.length)
    async function* body() {
      yield content.subarray(0, 2_000)
      const path = join(disk.directory, `${gone.key}.partial`)
      await waitFor(() =>
        stat(path).then(
          ({ size }) => size === 2_000,
          () => false,
        ),
      )
      await rm(path)
      yield content.subarray(2_000)
    }
    await expect(gone.appendBody(disk.storage, body())).rejects.toMatchObject({
      code: 'upload-lost',
    })
    expect(gone.records).toEqual([])
    await expect.poll(descriptors).toEqual([])
  })

  it('is lost when its directory is gone before its last bytes', async () => {
    const ledger = new TestLedger(content.length)
    const path = join(disk.directory, `${ledger.key}.partial`)
    async function* body() {
      yield content.subarray(0, 2_000)
      await waitFor(() =>
        stat(path).then(
          ({ size }) => size === 2_000,
          () => false,
        ),
      )
      await rm(dirname(path), { recursive: true })
      yield content.subarray(2_000)
    }
    await expect(ledger.appendBody(disk.storage, body())).rejects.toMatchObject({
      code: 'upload-lost',
    })
    await mkdir(dirname(path))
  })

  it.each([
    ['that is being written', '.partial', undefined],
    ['that is whole', '', undefined],
    // Nobody is said to have touched it, but it is in the way.
    ['that is being written all the same', '.partial', 60_000],
    // Nobody had touched it, but that is no longer sure.
    ['that is whole by now', '', -1],
  ])('%s, and there already, is never overwritten unasked', async (_, suffix, untouchedFor) => {
    const ledger = new TestLedger(content.length)
    const path = join(disk.directory, `${ledger.key}${suffix}`)
    await writeFile(path, 'of somebody else')
    const lost = new Error('the lease is lost')
    const record = vi.fn(() => Promise.reject(lost))
    const position = {
      ...ledger.position,
      ...(untouchedFor && { untouchedUntil: performance.now() + untouchedFor }),
    }
    const appended = disk.storage.append(position, inChunks(content), record, signal)
    await expect(appended).rejects.toBe(lost)
    expect(await readFile(path, 'utf8')).toBe('of somebody else')
  })
})
