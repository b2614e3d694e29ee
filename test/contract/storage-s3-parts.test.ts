import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Storage, UploadPart } from '../../src/storage/contract.ts'
import { createMemoryBudget } from '../../src/storage/memory/budget.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { type FaultProxy, type S3Operation, startFaultProxy } from '../support/s3-faults.ts'
import {
  contentOf,
  digestOf,
  inChunks,
  MiB,
  sha256,
  TestLedger,
  useCredentials,
} from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

const slowDown = { status: 503, code: 'SlowDown' }
const unavailable = { code: 'storage-unavailable', status: 503 }

describe('parts that are stored at the same time', () => {
  let s3: TestS3
  let faults: FaultProxy
  let storage: Storage
  const memory = createMemoryBudget(128 * MiB)
  const content = contentOf(42 * MiB)

  beforeAll(async () => {
    s3 = await startS3()
    useCredentials(s3)
    faults = await startFaultProxy(s3.endpoint)
    const { bucket } = s3
    storage = createS3Storage({ bucket, endpoint: faults.endpoint, region: 'us-east-1', memory })
  })
  afterAll(async () => {
    await storage?.close()
    await faults?.close()
    await s3?.close()
  })
  beforeEach(() => faults.clear())

  const calls = () =>
    Object.fromEntries(
      operations.flatMap((name) => (faults.count(name) ? [[name, faults.count(name)]] : [])),
    )

  async function expectWhole(ledger: TestLedger, whole: Buffer): Promise<void> {
    expect(ledger.position.offset).toBe(whole.length)
    await ledger.complete(storage)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(whole))
    expect(memory.held).toBe(0)
  }

  /** Part 2 fails for good, after parts 3 and 4 have landed. */
  async function leaveHole(ledger: TestLedger): Promise<void> {
    faults.fail({ operation: 'UploadPart', fault: 'hang', after: 1, times: 1 })
    async function* partByPart() {
      for (let number = 1; number <= 4; number += 1) {
        yield content.subarray((number - 1) * 8 * MiB, number * 8 * MiB)
        await waitFor(() => faults.count('UploadPart') === number, { intervalMs: 1 })
      }
      await waitFor(() => memory.held === 8 * MiB)
      faults.fail({ operation: 'UploadPart', fault: slowDown })
      faults.endHangs()
    }
    await expect(ledger.appendBody(storage, partByPart())).rejects.toMatchObject(unavailable)
    faults.clear()
  }

  it('never count over a hole that a failed one left', async () => {
    const ledger = new TestLedger(content.length)
    await leaveHole(ledger)
    expect(ledger.parts.map(({ number }) => number)).toEqual([1])
    expect(ledger.position.offset).toBe(8 * MiB)
    expect(memory.held).toBe(0)
    await ledger.append(storage, content)
    await expectWhole(ledger, content)
  })

  it('are recorded in order and one record at a time, however they land', async () => {
    const four = content.subarray(0, 32 * MiB)
    const ledger = new TestLedger(four.length)
    const recorded: number[][] = []
    ledger.beforeRecord = async ({ parts }) => {
      if (parts.length === 0) return
      recorded.push(parts.map(({ number }) => number))
      // Meanwhile all others land.
      await waitFor(() => memory.held === 0 && faults.count('UploadPart') === 4, { intervalMs: 1 })
    }
    await ledger.append(storage, four)
    expect(recorded.flat()).toEqual([1, 2, 3, 4])
    await expectWhole(ledger, four)
  })

  it('are recorded in order when some of them have to be sent again', async () => {
    const ledger = new TestLedger(content.length)
    faults.fail({ operation: 'UploadPart', fault: slowDown, times: 1 })
    faults.fail({ operation: 'UploadPart', fault: slowDown, after: 2, times: 1 })
    await ledger.append(storage, content)
    expect(ledger.parts.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6])
    await expectWhole(ledger, content)
  })

  it('leave no part of an earlier try that the object would not be made of', async () => {
    // Ceph refuses to complete with parts that are not named.
    const ledger = new TestLedger(content.length)
    await leaveHole(ledger)
    // Now it comes in requests that end in the middle of parts.
    for (const end of [14 * MiB, 20 * MiB, 33 * MiB, content.length]) {
      await ledger.append(storage, content, end)
    }
    await expectWhole(ledger, content)
  })

  it('are all called back when the caller aborts, and memory comes back', async () => {
    for (const operation of ['UploadPart', 'CreateMultipartUpload'] as const) {
      faults.clear()
      faults.fail({ operation, fault: 'hang' })
      const ledger = new TestLedger(content.length)
      const controller = new AbortController()
      const reason = new Error('the lease is lost')
      const appended = ledger.appendBody(storage, inChunks(content), controller.signal)
      const ended = expect(appended).rejects.toBe(reason)
      await expect.poll(() => faults.count(operation)).toBe(operation === 'UploadPart' ? 4 : 1)
      const { length } = ledger.records
      controller.abort(reason)
      await ended
      expect(memory.held).toBe(0)
      expect(ledger.records).toHaveLength(length)
    }
  })

  it('end with an abort while the client is silent', async () => {
    const ledger = new TestLedger(content.length)
    const controller = new AbortController()
    const reason = new Error('the lease is lost')
    let asked = false
    async function* silent() {
      yield content.subarray(0, 100_000)
      asked = true
      await new Promise(() => {})
    }
    const ended = expect(ledger.appendBody(storage, silent(), controller.signal)).rejects.toBe(
      reason,
    )
    await expect.poll(() => asked).toBe(true)
    expect(memory.held).toBeGreaterThan(0)
    controller.abort(reason)
    await ended
    expect(memory.held).toBe(0)
    expect(ledger.position.offset).toBe(0)
  })

  it('do not begin when the lease is lost already', async () => {
    const ledger = new TestLedger(content.length)
    const reason = new Error('the lease is lost')
    const appended = ledger.appendBody(storage, inChunks(content), AbortSignal.abort(reason))
    await expect(appended).rejects.toBe(reason)
    expect(ledger.records).toEqual([])
  })

  it('take one call for a file that fits in one and comes in one request', async () => {
    for (const size of [1_000, 200_000, 8 * MiB]) {
      faults.clear()
      const ledger = new TestLedger(size)
      await ledger.append(storage, content.subarray(0, size))
      expect(calls()).toEqual({ PutObject: 1 })
      expect(ledger.records).toEqual([
        expect.objectContaining({ offset: size, multipartId: undefined, parts: [], whole: true }),
      ])
      await expectWhole(ledger, content.subarray(0, size))
    }
  })

  it('are all settled at the end of a request that nothing went wrong with', async () => {
    const ledger = new TestLedger(content.length)
    for (const end of [6 * MiB, 14 * MiB, 15 * MiB, 30 * MiB]) {
      await ledger.append(storage, content, end)
      expect(ledger.position).toMatchObject({ offset: end, unsettledParts: undefined })
    }
    await ledger.append(storage, content)
    await expectWhole(ledger, content)
  })

  it('take two calls for a small request on top of a tail', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content, 9 * MiB)
    faults.clear()
    await ledger.append(storage, content, 9 * MiB + 1_000)
    expect(calls()).toEqual({ GetObject: 1, PutObject: 1 })
  })

  it('are not looked at again for a request on top of ten thousand of them', async () => {
    const ledger = new TestLedger()
    await ledger.append(storage, content, 9 * MiB)
    // What the ledger says of so many parts is all that storage needs of them.
    const offset = 9_000 * 8 * MiB
    const { tail } = ledger.position
    const position = { ...ledger.position, partCount: 9_000, offset: offset + MiB, tail }
    faults.clear()
    const parts: UploadPart[] = []
    const appended = await storage.append(
      position,
      inChunks(content.subarray(0, 1_000)),
      async (progress) => void parts.push(...progress.parts),
      new AbortController().signal,
    )
    expect(appended).toBe(offset + MiB + 1_000)
    expect(calls()).toEqual({ GetObject: 1, PutObject: 1 })
  })

  it('give back their memory after every ending', async () => {
    const crash = new Error('the database is gone')
    const gone = new Error('the client is gone')
    for (const [operation, error] of endings) {
      const ledger = new TestLedger(content.length)
      faults.clear()
      if (operation === 'record') {
        ledger.beforeRecord = ({ parts }) => {
          if (parts.length > 0) throw crash
        }
      } else if (operation !== 'body') {
        faults.fail({ operation, fault: slowDown })
      }
      const body = inChunks(content.subarray(0, 20 * MiB), 65_536, gone)
      const expected = operation === 'record' ? crash : operation === 'body' ? gone : undefined
      const appended = await ledger.appendBody(storage, body).catch((thrown) => thrown)
      if (expected) expect(appended).toBe(expected)
      else expect(appended).toMatchObject({ code: error })
      expect(memory.held).toBe(0)
      expect(memory.waiting).toBe(0)
    }
  })
})

const endings = [
  ['body', ''],
  ['record', ''],
  ['UploadPart', 'storage-unavailable'],
  ['CreateMultipartUpload', 'storage-unavailable'],
  ['PutObject', 'storage-unavailable'],
] as const

const operations: S3Operation[] = [
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
  'ListMultipartUploads',
  'ListParts',
  'PutObject',
  'GetObject',
  'HeadObject',
  'HeadBucket',
  'DeleteObject',
]
