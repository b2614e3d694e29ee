import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inChunks, MiB, TestLedger } from '../support/storage.ts'
import { accept, mismatch, VerifiedS3 } from '../support/verified-s3.ts'

const never = new AbortController().signal

describe('bytes that wait aside in S3 until they are verified', { timeout: 120_000 }, () => {
  let s: VerifiedS3

  beforeAll(async () => {
    s = await VerifiedS3.start()
  })
  afterAll(() => s?.close())
  beforeEach(() => s.faults.clear())

  it('do not go aside when a part holds them, with the tail before them', async () => {
    const ledger = new TestLedger(s.content.length)
    for (const end of [MiB, 2 * MiB, 8 * MiB, 16 * MiB, 17 * MiB]) {
      s.faults.clear()
      await s.append(ledger, end)
      expect(s.faults.count('PutObject') + s.faults.count('UploadPart')).toBe(1)
      expect(s.faults.count('DeleteObject')).toBe(0)
      expect(ledger.records.every(({ staged }) => staged === undefined)).toBe(true)
    }
    expect(ledger.parts.map(({ size }) => size)).toEqual([8 * MiB, 8 * MiB])
    await s.append(ledger)
    await s.expectWhole(ledger)
  })

  it('take one call when they are all of a small file', async () => {
    const small = s.content.subarray(0, 8 * MiB)
    const ledger = new TestLedger(small.length)
    await ledger.append(s.storage, small, small.length, 65_536, accept)
    expect(s.faults.count('PutObject')).toBe(1)
    expect(ledger.records).toEqual([expect.objectContaining({ offset: 8 * MiB, whole: true })])
    await s.expectWhole(ledger, small)
  })

  it('are named in the ledger before they are there, for many at a time', async () => {
    const ledger = new TestLedger(s.content.length)
    const puts: number[] = []
    ledger.beforeRecord = ({ staged }) => {
      if (staged && puts.length === 0) puts.push(s.faults.count('PutObject'))
    }
    await s.append(ledger)
    expect(puts).toEqual([0])
    expect(ledger.records[0]).toMatchObject({ offset: 0, staged: { count: 16 } })
    expect(ledger.records.filter(({ offset }) => offset === 0).length).toBeLessThanOrEqual(4)
    expect(ledger.position.staged).toBeUndefined()
    expect(await s.stagedKeysOf(ledger)).toEqual([])
    await s.expectWhole(ledger)
  })

  it('never touch a part or a tail before they are verified', async () => {
    const ledger = new TestLedger(s.content.length)
    await s.append(ledger, 9 * MiB, {})
    const { position } = ledger
    const before = await s.s3.listKeys(ledger.key)
    s.faults.clear()
    const verify = () => {
      expect(s.faults.count('UploadPart')).toBe(0)
      expect(s.faults.count('CreateMultipartUpload')).toBe(0)
      throw mismatch
    }
    await expect(s.append(ledger, s.content.length, { verify })).rejects.toBe(mismatch)
    expect(ledger.position).toEqual(position)
    expect(await s.s3.listKeys(ledger.key)).toEqual(before)
    await s.append(ledger)
    await s.expectWhole(ledger)
  })

  it('leave room in memory for others: many at once do not stand in each other’s way', async () => {
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, s.memory.held)
    }, 1)
    const ledgers = await Promise.all(
      Array.from({ length: 8 }, async (_, each) => {
        const ledger = new TestLedger(each % 2 ? 18 * MiB : undefined)
        await s.append(ledger, (each % 4) * MiB, {})
        await s.append(ledger, 18 * MiB)
        return ledger
      }),
    )
    clearInterval(watch)
    expect(most).toBeLessThanOrEqual(24 * MiB)
    for (const ledger of ledgers) {
      ledger.position = { ...ledger.position, length: 18 * MiB }
      await s.expectWhole(ledger, s.content.subarray(0, 18 * MiB))
      await s.storage.discard(ledger.position)
    }
  })

  it('give their memory back while their client is silent', async () => {
    const slow = new TestLedger(s.content.length)
    await s.append(slow, 3 * MiB, {})
    const isSpilled = () => s.memory.held === 0 && s.memory.waiting === 0
    const others = Array.from({ length: 2 }, () => new TestLedger(18 * MiB))
    async function* pausing() {
      yield* inChunks(s.content.subarray(3 * MiB, 8 * MiB))
      await Promise.all(others.map((each) => s.append(each, 18 * MiB, {})))
      await expect.poll(isSpilled).toBe(true)
      expect(slow.position).toMatchObject({ offset: 3 * MiB, staged: { count: 16 } })
      yield* inChunks(s.content.subarray(8 * MiB))
    }
    await slow.appendBody(s.storage, pausing(), never, accept)
    await s.expectWhole(slow)
  })
})
