import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Progress } from '../../src/storage/contract.ts'
import { contentOf, inChunks, startDisk, TestLedger } from '../support/storage.ts'

const content = contentOf(5_000)
const { signal } = new AbortController()

describe('a file on the disk of an upload', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>

  beforeAll(async () => {
    disk = await startDisk()
    await mkdir(join(disk.directory, 'uploads'), { recursive: true })
  })
  afterAll(() => disk?.close())

  it('leaves a moment for other work once all has come, before that is recorded', async () => {
    const ledger = new TestLedger(content.length)
    const order: string[] = []
    const record = async (progress: Progress) => {
      order.push(progress.whole ? 'whole' : 'part')
      await ledger.record(progress)
    }
    const append = (bytes: Buffer) =>
      disk.storage.append(ledger.position, inChunks(bytes), record, signal, () =>
        order.push('work'),
      )
    await append(content.subarray(0, 2_000))
    expect(order).toEqual(['part'])
    await append(content.subarray(2_000))
    expect(order).toEqual(['part', 'work', 'whole'])
  })

  it.each([
    ['that is being written', '.partial'],
    ['that is whole', ''],
  ])('%s, and there already, is never overwritten unasked', async (_, suffix) => {
    const ledger = new TestLedger(content.length)
    const path = join(disk.directory, `${ledger.key}${suffix}`)
    await writeFile(path, 'of somebody else')
    const lost = new Error('the lease is lost')
    const record = vi.fn(() => Promise.reject(lost))
    const appended = disk.storage.append(ledger.position, inChunks(content), record, signal)
    await expect(appended).rejects.toBe(lost)
    expect(await readFile(path, 'utf8')).toBe('of somebody else')
    // Of an upload that was just created nobody else can know; if there is one all the same, it asks.
    const position = { ...ledger.position, isNew: true }
    if (suffix === '.partial') {
      await expect(disk.storage.append(position, inChunks(content), record, signal)).rejects.toBe(
        lost,
      )
      expect(await readFile(path, 'utf8')).toBe('of somebody else')
    }
  })
})
