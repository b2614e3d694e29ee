import { stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  contentOf,
  digestOf,
  inChunks,
  MiB,
  sha256,
  startDisk,
  TestLedger,
} from '../support/storage.ts'

const mismatch = new Error('the checksum does not match')
const never = new AbortController().signal

function refuse(): void {
  throw mismatch
}

describe('bytes on the disk that are not verified yet', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>
  const content = contentOf(40 * MiB)

  beforeAll(async () => {
    disk = await startDisk()
  })
  afterAll(() => disk?.close())

  const partialPath = (ledger: TestLedger) => `${disk.directory}/${ledger.key}.partial`
  const sizeInFile = async (ledger: TestLedger) => (await stat(partialPath(ledger))).size
  const append = (ledger: TestLedger, verify: () => void, end = content.length) =>
    ledger.append(disk.storage, content, end, 65_536, { verify })

  async function expectWhole(ledger: TestLedger): Promise<void> {
    await ledger.append(disk.storage, content)
    expect(ledger.records.at(-1)).toMatchObject({ offset: content.length, whole: true })
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
  }

  it('are in the file, under the name of one that is not whole, and no record names them', async () => {
    const ledger = new TestLedger(content.length)
    let seen: unknown[] = []
    const verify = () => {
      seen = ledger.records.map(({ offset }) => offset)
    }
    async function* body() {
      yield* inChunks(content)
      await expect.poll(() => sizeInFile(ledger)).toBe(content.length)
      expect(await disk.listKeys(ledger.key)).toEqual([`${ledger.key}.partial`])
    }
    await ledger.appendBody(disk.storage, body(), never, { verify })
    expect(seen).toEqual([])
    expect(ledger.records).toEqual([
      expect.objectContaining({ offset: content.length, whole: true }),
    ])
    await expectWhole(ledger)
  })

  it('take no room any more once they were refused', async () => {
    for (const before of [0, 1_000, 9 * MiB]) {
      const ledger = new TestLedger(content.length)
      await ledger.append(disk.storage, content, before)
      await expect(append(ledger, refuse)).rejects.toBe(mismatch)
      expect(await sizeInFile(ledger)).toBe(before)
      expect(ledger.position.offset).toBe(before)
      await expectWhole(ledger)
    }
  })

  it('leave alone what somebody else wrote meanwhile who has the lease now', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    const late = new TestLedger(content.length)
    late.position = ledger.position
    late.beforeRecord = () => {
      throw new Error('the lease is lost')
    }
    const verify = () => {
      throw mismatch
    }
    async function* body() {
      yield content.subarray(1_000, 1_500)
      await ledger.append(disk.storage, content, 5_000)
    }
    const appended = late.appendBody(disk.storage, body(), never, { verify })
    await expect(appended).rejects.toBe(mismatch)
    expect(await sizeInFile(ledger)).toBe(5_000)
    await expectWhole(ledger)
  })

  it('are cut off by the next request when they could not be at once', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    ledger.beforeRecord = () => {
      throw new Error('the database is away')
    }
    await expect(append(ledger, refuse)).rejects.toBe(mismatch)
    expect(await sizeInFile(ledger)).toBe(content.length)
    ledger.beforeRecord = () => {}
    await ledger.append(disk.storage, content, 2_000)
    expect(await sizeInFile(ledger)).toBe(2_000)
    await expectWhole(ledger)
  })
})
