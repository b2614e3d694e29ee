import { readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UploadSource } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import {
  contentOf,
  digestOf,
  MiB,
  sha256,
  startDisk,
  storeSources,
  TestLedger,
} from '../support/storage.ts'

const crash = new Error('crash')

describe('files on the disk that become one', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>

  beforeAll(async () => {
    disk = await startDisk()
  })
  afterAll(() => disk?.close())

  async function prepare(list: readonly number[]) {
    const contents = list.map((size, each) => contentOf(size, each))
    const sources = await storeSources(disk.storage, contents)
    const whole = Buffer.concat(contents)
    return { sources, whole, ledger: new TestLedger(whole.length) }
  }

  const pathOf = ({ id }: UploadSource) => join(disk.directory, originalKey(id))
  const partialPath = (ledger: TestLedger) => join(disk.directory, `${ledger.key}.partial`)

  async function expectWhole(ledger: TestLedger, whole: Buffer): Promise<void> {
    await ledger.complete(disk.storage)
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(whole))
    expect(await disk.listKeys()).toEqual([ledger.key])
    await disk.storage.discard(ledger.position)
  }

  /** Bytes in all files together. */
  async function bytesOnDisk(): Promise<number> {
    const entries = await readdir(disk.directory, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    const sizes = files.map(({ parentPath, name }) =>
      stat(join(parentPath, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }

  it('never take more room than they have and the largest of them once more', async () => {
    const { sources, whole, ledger } = await prepare([20, 12, 16, 1, 9].map((size) => size * MiB))
    let most = 0
    ledger.beforeRecord = async () => {
      most = Math.max(most, await bytesOnDisk())
    }
    await ledger.concatenate(disk.storage, sources)
    expect(most).toBeLessThanOrEqual(whole.length + 16 * MiB)
    expect(await bytesOnDisk()).toBe(whole.length)
    await expectWhole(ledger, whole)
  })

  it('are none of them written again when there is but one', async () => {
    const { sources, whole, ledger } = await prepare([MiB])
    const [source] = sources
    const { ino } = await stat(source ? pathOf(source) : '')
    await ledger.concatenate(disk.storage, sources)
    await ledger.complete(disk.storage)
    expect((await stat(join(disk.directory, ledger.key))).ino).toBe(ino)
    await expectWhole(ledger, whole)
  })

  it('are removed no sooner than their bytes are recorded', async () => {
    const { sources, whole, ledger } = await prepare([9 * MiB, 10 * MiB, 12 * MiB])
    const exists = (source: UploadSource) => stat(pathOf(source)).then(Boolean, () => false)
    ledger.beforeRecord = async () => {
      const [, second, third] = sources
      const { offset } = ledger.position
      if (second && offset < 19 * MiB) expect(await exists(second)).toBe(true)
      if (third) expect(await exists(third)).toBe(true)
    }
    await ledger.concatenate(disk.storage, sources)
    await expectWhole(ledger, whole)
  })

  it('go on when the first was renamed and the ledger never heard of it', async () => {
    const { sources, whole, ledger } = await prepare([3_000, 2_000])
    ledger.beforeRecord = ({ offset }) => {
      if (offset > 0) throw crash
    }
    await expect(ledger.concatenate(disk.storage, sources)).rejects.toBe(crash)
    expect(ledger.position.offset).toBe(0)
    expect((await stat(partialPath(ledger))).size).toBe(3_000)
    ledger.beforeRecord = () => {}
    await ledger.concatenate(disk.storage, sources)
    await expectWhole(ledger, whole)
  })

  it('are lost when the first is gone, and what is there instead is smaller', async () => {
    const { sources, ledger } = await prepare([3_000, 2_000])
    const [first, second] = sources
    if (first && second) await rename(pathOf(second), partialPath(ledger))
    if (first) await rename(pathOf(first), `${pathOf(first)}.elsewhere`)
    const joined = ledger.concatenate(disk.storage, sources)
    await expect(joined).rejects.toMatchObject({ code: 'upload-lost' })
    expect(ledger.records).toEqual([])
    await disk.storage.discard(ledger.position)
    if (first) await disk.storage.remove([`${originalKey(first.id)}.elsewhere`])
  })

  it('change nothing for one who lost the lease', async () => {
    const { sources, whole, ledger } = await prepare([3_000, 2_000])
    const late = new TestLedger(whole.length)
    late.position = ledger.position
    late.beforeRecord = () => {
      throw new Error('the lease is lost')
    }
    const join = () => late.concatenate(disk.storage, sources)
    const keys = await disk.listKeys()
    await expect(join()).rejects.toThrow('lease is lost')
    expect(await disk.listKeys()).toEqual(keys)
    await ledger.concatenate(disk.storage, sources)
    await expect(join()).rejects.toThrow()
    await expectWhole(ledger, whole)
  })
})
