import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { multipartStarting } from '../../src/storage/contract.ts'
import type { Fault } from '../support/s3-faults.ts'
import { inChunks, MiB, TestLedger } from '../support/storage.ts'
import { accept, mismatch, refuse, VerifiedS3 } from '../support/verified-s3.ts'

/** An answer that is not worth to try again. */
const denied = { status: 403, code: 'AccessDenied' }
const slowDown = { status: 503, code: 'SlowDown' }
const unavailable = { code: 'storage-unavailable', status: 503 }

describe('pieces that wait in S3 for their verification', { timeout: 120_000 }, () => {
  let s: VerifiedS3

  beforeAll(async () => {
    s = await VerifiedS3.start()
  })
  afterAll(() => s?.close())
  beforeEach(() => s.faults.clear())

  it('are removed by the next request when a crash left them', async () => {
    const crash = new Error('crash')
    for (const next of ['checked', 'unchecked', 'nothing', 'discard'] as const) {
      const ledger = new TestLedger(s.content.length)
      await s.append(ledger, 9 * MiB, {})
      const { position } = ledger
      ledger.beforeRecord = ({ staged, offset }) => {
        // A dead process neither records nor removes.
        if (offset > position.offset || !staged) throw crash
      }
      s.faults.fail({ operation: 'DeleteObject', fault: denied })
      await expect(s.append(ledger, 22 * MiB)).rejects.toBe(crash)
      expect((await s.stagedKeysOf(ledger)).length).toBeGreaterThanOrEqual(2)
      const { offset, tail } = position
      const staged = expect.objectContaining({ count: 16 })
      expect(ledger.position).toMatchObject({ offset, tail, staged })
      ledger.beforeRecord = () => {}
      s.faults.clear()
      if (next === 'discard') {
        await s.storage.discard(ledger.position)
        await s.expectOnly(ledger, [])
        continue
      }
      if (next === 'nothing') {
        ledger.position = { ...ledger.position, length: 9 * MiB }
      } else {
        await s.append(ledger, 12 * MiB, next === 'checked' ? accept : {})
        expect(await s.stagedKeysOf(ledger)).toEqual([])
        expect(ledger.position.staged).toBeUndefined()
        await s.append(ledger)
      }
      await s.expectWhole(ledger, s.content.subarray(0, ledger.position.offset))
    }
  })

  it('stay named as long as they cannot be removed, and nothing lands on them', async () => {
    const ledger = new TestLedger(s.content.length)
    for (const fault of [denied, 'hang'] as const) {
      s.faults.fail({ operation: 'DeleteObject', fault })
      await expect(s.append(ledger, 20 * MiB, refuse)).rejects.toBe(mismatch)
      s.faults.clear()
    }
    expect(ledger.position.staged?.count).toBeGreaterThanOrEqual(19)
    const staged = await s.stagedKeysOf(ledger)
    expect(new Set(staged).size).toBe(4)
    s.faults.fail({ operation: 'DeleteObject', fault: denied })
    await s.append(ledger, 22 * MiB)
    await s.append(ledger)
    expect(ledger.position.staged).toBeDefined()
    await expect(ledger.complete(s.storage)).rejects.toMatchObject(unavailable)
    s.faults.clear()
    await s.expectWhole(ledger)
  })

  it('keep an object from being whole as long as they are named', async () => {
    const ledger = new TestLedger()
    s.faults.fail({ operation: 'DeleteObject', fault: denied })
    await expect(s.append(ledger, 20 * MiB, refuse)).rejects.toBe(mismatch)
    ledger.position = { ...ledger.position, length: 1_000 }
    await s.append(ledger, 1_000, {})
    expect(ledger.position).toMatchObject({ offset: 1_000, staged: { count: 16 } })
    expect(ledger.records.some(({ whole }) => whole)).toBe(false)
    s.faults.clear()
    await s.expectWhole(ledger, s.content.subarray(0, 1_000))
  })

  it.each<[string, Fault, number]>([
    ['an error', slowDown, 1],
    ['a lost request', 'drop-before', 1],
    ['a lost answer', 'drop-after', 1],
    ['a cut request', 'truncate-request', 1],
    ['a request that lands late', { lateMs: 300 }, 1],
  ])('come through all the same when a request meets %s', async (_, fault, times) => {
    const ledger = new TestLedger(s.content.length)
    for (const operation of ['PutObject', 'GetObject', 'UploadPart', 'DeleteObject'] as const) {
      if (operation === 'GetObject' && typeof fault === 'object' && 'lateMs' in fault) continue
      s.faults.fail({ operation, fault, after: 1, times })
    }
    await s.append(ledger, 22 * MiB)
    expect(ledger.position.offset).toBe(22 * MiB)
    await s.append(ledger)
    await s.faults.untilLanded()
    await s.expectWhole(ledger)
  })

  it.each<[string, Fault]>([
    ['cut off', 'truncate-answer'],
    ['changed', 'corrupt-answer'],
  ])('are read again when they come back %s, and never taken as they are', async (_, fault) => {
    const ledger = new TestLedger(s.content.length)
    s.faults.fail({ operation: 'GetObject', fault, after: 1, times: 2 })
    await s.append(ledger)
    expect(s.faults.injected('GetObject')).toBe(2)
    await s.expectWhole(ledger)
    const unlucky = new TestLedger(s.content.length)
    s.faults.fail({ operation: 'GetObject', fault })
    await expect(s.append(unlucky)).rejects.toMatchObject(unavailable)
    s.faults.clear()
    await s.append(unlucky)
    await s.expectWhole(unlucky)
  })

  it.each(['PutObject', 'GetObject', 'UploadPart', 'CreateMultipartUpload'] as const)(
    'leave nothing behind when %s fails for good, and come again',
    async (operation) => {
      const ledger = new TestLedger(s.content.length)
      s.faults.fail({ operation, fault: slowDown, after: operation === 'UploadPart' ? 1 : 0 })
      await expect(s.append(ledger)).rejects.toMatchObject(unavailable)
      expect(ledger.position.offset).toBe(operation === 'UploadPart' ? 8 * MiB : 0)
      expect(await s.stagedKeysOf(ledger)).toEqual([])
      expect(s.memory.held).toBe(0)
      s.faults.clear()
      await s.append(ledger)
      await s.expectWhole(ledger)
    },
  )

  it('that land late, after they were removed, are removed with the completion', async () => {
    const ledger = new TestLedger(s.content.length)
    const put = vi.fn<(key: string) => void>()
    ledger.beforeRecord = async () => {
      for (const key of await s.stagedKeysOf(ledger)) put(key)
    }
    s.faults.fail({ operation: 'PutObject', fault: 'drop-before', after: 1, times: 1 })
    await s.append(ledger)
    expect(await s.stagedKeysOf(ledger)).toEqual([])
    // The first attempt reaches storage only now.
    const [[key] = ['']] = put.mock.calls
    await s.storage.put(key, s.content.subarray(0, 8 * MiB), 'application/octet-stream')
    expect(await s.stagedKeysOf(ledger)).toEqual([key])
    await s.expectWhole(ledger)
  })

  it.each(['PutObject', 'GetObject'] as const)(
    'end with an abort while %s hangs, and go on later',
    async (operation) => {
      const ledger = new TestLedger(s.content.length)
      const lease = new AbortController()
      const reason = new Error('the lease is lost')
      s.faults.fail({ operation, fault: 'hang' })
      const appended = ledger.appendBody(s.storage, inChunks(s.content), lease.signal, accept)
      const ended = expect(appended).rejects.toBe(reason)
      await expect.poll(() => s.faults.count(operation)).toBeGreaterThan(0)
      lease.abort(reason)
      await ended
      expect(s.memory.held).toBe(0)
      s.faults.clear()
      expect(ledger.position).toMatchObject({ offset: 0, staged: { count: 16 } })
      await s.append(ledger)
      await s.expectWhole(ledger)
    },
  )

  it('are not begun when the ledger cannot hear of them, and never count', async () => {
    const refusal = new Error('the database is away')
    const ledger = new TestLedger(s.content.length)
    ledger.beforeRecord = ({ staged }) => {
      if (staged) throw refusal
    }
    await expect(s.append(ledger)).rejects.toBe(refusal)
    expect(s.faults.count('PutObject')).toBe(0)
    expect(ledger.records).toEqual([])
    ledger.beforeRecord = ({ multipartId }) => {
      if (multipartId === multipartStarting) throw refusal
    }
    await expect(s.append(ledger)).rejects.toBe(refusal)
    ledger.beforeRecord = () => {}
    expect(await s.stagedKeysOf(ledger)).toEqual([])
    expect(ledger.position.offset).toBe(0)
    await s.append(ledger)
    await s.expectWhole(ledger)
  })
})
