import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Storage, UploadSource } from '../../src/storage/contract.ts'
import { createMemoryBudget } from '../../src/storage/memory/budget.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { seededRandom } from '../support/random.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { type Fault, type FaultProxy, startFaultProxy } from '../support/s3-faults.ts'
import {
  contentOf,
  digestOf,
  MiB,
  sha256,
  storeSources,
  TestLedger,
  useCredentials,
} from '../support/storage.ts'

const slowDown = { status: 503, code: 'SlowDown' }
const unavailable = { code: 'storage-unavailable', status: 503 }
const crash = new Error('crash')
const notImplemented = { status: 501, code: 'NotImplemented' }

describe('uploads in S3 that storage itself puts together', { timeout: 120_000 }, () => {
  let s3: TestS3
  let faults: FaultProxy
  let storage: Storage
  const memory = createMemoryBudget(16 * MiB)
  const large = [9 * MiB, 13 * MiB, 6 * MiB, 9 * MiB]
  const mixed = [6 * MiB, 1_000, 9 * MiB, 3 * MiB, 2 * MiB, 13 * MiB, 500]

  beforeAll(async () => {
    s3 = await startS3()
    useCredentials(s3)
    faults = await startFaultProxy(s3.endpoint)
    storage = createS3Storage(options())
  })
  afterAll(async () => {
    await storage?.close()
    await faults?.close()
    await s3?.close()
  })
  beforeEach(() => faults.clear())

  const options = () => ({
    bucket: s3.bucket,
    endpoint: faults.endpoint,
    region: 'us-east-1',
    prefix: "a prefix (of) 'ours'/",
    memory,
  })
  async function prepare(list: readonly number[]) {
    const contents = list.map((size, each) => contentOf(size, each))
    const sources = await storeSources(storage, contents)
    const whole = Buffer.concat(contents)
    faults.clear()
    return { sources, whole, ledger: new TestLedger(whole.length) }
  }

  async function expectWhole(
    ledger: TestLedger,
    sources: readonly UploadSource[],
    whole: Buffer,
  ): Promise<void> {
    expect(ledger.position.offset).toBe(whole.length)
    await ledger.complete(storage)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(whole))
    for (const { id } of sources) await storage.discard({ ...new TestLedger().position, id })
    const full = `${options().prefix}${ledger.key}`
    expect(await s3.listKeys(full)).toEqual([full])
    if (s3.listsMultiparts) expect(await s3.listMultiparts(full)).toEqual([])
    await storage.discard(ledger.position)
    expect(memory.held).toBe(0)
    expect(memory.waiting).toBe(0)
  }

  it('are copied, and none of their bytes passes through here', async () => {
    const list = [21 * MiB, 70 * MiB, 13 * MiB, 9 * MiB, 6 * MiB]
    const { sources, whole, ledger } = await prepare(list)
    await ledger.concatenate(storage, sources)
    expect(faults.count('UploadPartCopy')).toBe(6)
    expect(faults.count('GetObject')).toBe(0)
    expect(faults.count('UploadPart')).toBe(0)
    const sizes = ledger.parts.map(({ size }) => size / MiB)
    expect(sizes).toEqual([21, 64, 6, 13, 9, 6])
    await expectWhole(ledger, sources, whole)
  })

  it('have no part that is too small, in the middle of the object or at the end of a copy', async () => {
    const { sources, whole, ledger } = await prepare([...mixed, 66 * MiB])
    await ledger.concatenate(storage, sources)
    const sizes = ledger.parts.map(({ size }) => size)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5 * MiB)
    expect(faults.count('UploadPartCopy')).toBeGreaterThanOrEqual(3)
    await expectWhole(ledger, sources, whole)
  })

  it('are one object at once when they are small together', async () => {
    const { sources, whole, ledger } = await prepare([1_000, 5 * MiB, 2 * MiB])
    await ledger.concatenate(storage, sources)
    expect(faults.count('PutObject')).toBe(1)
    expect(faults.count('CreateMultipartUpload')).toBe(0)
    expect(ledger.records).toEqual([expect.objectContaining({ offset: whole.length })])
    await expectWhole(ledger, sources, whole)
  })

  it('are recorded in order, however the copies land', async () => {
    const { sources, whole, ledger } = await prepare(large)
    faults.fail({ operation: 'UploadPartCopy', fault: { delayMs: 300 }, times: 1 })
    faults.fail({ operation: 'UploadPartCopy', fault: slowDown, after: 1, times: 1 })
    await ledger.concatenate(storage, sources)
    expect(ledger.parts.map(({ number }) => number)).toEqual([1, 2, 3, 4])
    await expectWhole(ledger, sources, whole)
  })

  it('go through here where storage cannot copy, and within the memory there is', async () => {
    for (const fault of [notImplemented, { status: 405, code: 'MethodNotAllowed' }]) {
      const { sources, whole, ledger } = await prepare(mixed)
      faults.fail({ operation: 'UploadPartCopy', fault })
      let most = 0
      ledger.beforeRecord = () => {
        most = Math.max(most, memory.held)
      }
      await ledger.concatenate(storage, sources)
      expect(most).toBeLessThanOrEqual(24 * MiB)
      await expectWhole(ledger, sources, whole)
    }
  })

  it('go on by copies where they went through here before', async () => {
    const { sources, whole, ledger } = await prepare([...large, ...large])
    faults.fail({ operation: 'UploadPartCopy', fault: notImplemented })
    ledger.beforeRecord = ({ offset }) => {
      if (offset > 10 * MiB) throw crash
    }
    await expect(ledger.concatenate(storage, sources)).rejects.toBe(crash)
    faults.clear()
    ledger.beforeRecord = () => {}
    await ledger.concatenate(storage, sources)
    expect(faults.count('UploadPartCopy')).toBeGreaterThan(0)
    await expectWhole(ledger, sources, whole)
  })

  it('do not take a copy for refused that may have been made', async () => {
    const { sources, whole, ledger } = await prepare(large)
    faults.fail({ operation: 'UploadPartCopy', fault: 'drop-after', times: 4 })
    faults.fail({ operation: 'UploadPartCopy', fault: notImplemented })
    await expect(ledger.concatenate(storage, sources)).rejects.toMatchObject(unavailable)
    expect(faults.count('UploadPart')).toBe(0)
    faults.clear()
    await ledger.concatenate(storage, sources)
    await expectWhole(ledger, sources, whole)
  })

  it('do not take an answer for a copy that is an error', async () => {
    const { sources, whole, ledger } = await prepare(large)
    const fault = { status: 200, code: 'InternalError' }
    faults.fail({ operation: 'UploadPartCopy', fault, times: 1 })
    await ledger.concatenate(storage, sources)
    await expectWhole(ledger, sources, whole)
    const second = await prepare(large)
    faults.fail({ operation: 'UploadPartCopy', fault })
    const joined = second.ledger.concatenate(storage, second.sources)
    await expect(joined).rejects.toMatchObject(unavailable)
    expect(second.ledger.position.offset).toBe(0)
    faults.clear()
    await second.ledger.concatenate(storage, second.sources)
    await expectWhole(second.ledger, second.sources, second.whole)
  })

  it('wait longer for a copy than for anything else, and not for ever', async () => {
    const { sources, whole, ledger } = await prepare(large)
    const limits = { copying: 4_000, attempts: 1 }
    const impatient = createS3Storage({ ...options(), limits: { ...limits, inactivity: 400 } })
    faults.fail({ operation: 'UploadPartCopy', fault: { delayMs: 1_200 } })
    await ledger.concatenate(impatient, sources)
    await expectWhole(ledger, sources, whole)
    const hasty = createS3Storage({ ...options(), limits: { copying: 300, attempts: 2 } })
    const second = await prepare(large)
    faults.fail({ operation: 'UploadPartCopy', fault: 'hang' })
    const joined = second.ledger.concatenate(hasty, second.sources)
    await expect(joined).rejects.toMatchObject(unavailable)
    faults.clear()
    await second.ledger.concatenate(storage, second.sources)
    await expectWhole(second.ledger, second.sources, second.whole)
    await impatient.close()
    await hasty.close()
  })

  it.each<[string, Fault]>([
    ['an error', slowDown],
    ['a lost request', 'drop-before'],
    ['a lost answer', 'drop-after'],
    ['a cut answer', 'truncate-answer'],
  ])(
    'keep what is recorded when every call meets %s in its turn',
    {
      timeout: 120_000,
    },
    async (_, fault) => {
      const steadfast = createS3Storage({ ...options(), limits: { attempts: 1 } })
      const { sources, whole, ledger } = await prepare(mixed)
      for (const operation of [
        'CreateMultipartUpload',
        'UploadPartCopy',
        'UploadPart',
        'GetObject',
        'HeadObject',
        'PutObject',
      ] as const) {
        faults.clear()
        faults.fail({ operation, fault, times: 1 })
        const { offset } = ledger.position
        await ledger.concatenate(steadfast, sources).catch((error) => {
          expect(error).toMatchObject(unavailable)
        })
        expect(ledger.position.offset).toBeGreaterThanOrEqual(offset)
      }
      faults.clear()
      await ledger.concatenate(storage, sources)
      await expectWhole(ledger, sources, whole)
      await steadfast.close()
    },
  )

  it('may have any call land at any later time that was given up', async () => {
    const impatient = createS3Storage({ ...options(), limits: { attempts: 2 } })
    for (const seed of [1, 2, 3, 4]) {
      const random = seededRandom(seed)
      const all = [...large, ...mixed]
      const list = Array.from({ length: 6 }, () => random.pick(all))
      const { sources, whole, ledger } = await prepare(list)
      for (const operation of ['UploadPartCopy', 'UploadPart', 'PutObject'] as const) {
        faults.fail({ operation, fault: { lateMs: 400 }, probability: 0.6 })
      }
      let calls = 0
      while (ledger.position.offset < whole.length && calls < 60) {
        calls += 1
        await ledger.concatenate(impatient, sources).catch((error) => {
          expect(error).toMatchObject(unavailable)
        })
      }
      faults.heal()
      await faults.untilLanded()
      await expectWhole(ledger, sources, whole)
    }
    await impatient.close()
  })

  it('may be put together by two at the same time, of whom one lost the lease', async () => {
    const { sources, whole, ledger } = await prepare(large)
    const late = new TestLedger(whole.length)
    ledger.beforeRecord = ({ parts }) => {
      if (parts.length > 0) throw crash
    }
    await expect(ledger.concatenate(storage, sources)).rejects.toBe(crash)
    late.position = ledger.position
    ledger.beforeRecord = () => {}
    await ledger.concatenate(storage, sources)
    // What the other one began reaches storage only now.
    await late.concatenate(storage, sources)
    await expectWhole(ledger, sources, whole)
  })

  it('are not asked for all at once', async () => {
    const { sources, whole, ledger } = await prepare(Array.from({ length: 7 }, () => 6 * MiB))
    const lease = new AbortController()
    faults.fail({ operation: 'UploadPartCopy', fault: 'hang' })
    const ended = expect(ledger.concatenate(storage, sources, lease.signal)).rejects.toThrow()
    await expect.poll(() => faults.count('UploadPartCopy')).toBe(4)
    lease.abort(crash)
    await ended
    expect(faults.count('UploadPartCopy')).toBe(4)
    faults.clear()
    await ledger.concatenate(storage, sources)
    await expectWhole(ledger, sources, whole)
  })

  it('end with an abort while a copy hangs, and go on later', async () => {
    for (const operation of ['UploadPartCopy', 'GetObject', 'HeadObject'] as const) {
      const { sources, whole, ledger } = await prepare(mixed)
      const lease = new AbortController()
      const reason = new Error('the lease is lost')
      faults.fail({ operation, fault: 'hang' })
      const joined = ledger.concatenate(storage, sources, lease.signal)
      const ended = expect(joined).rejects.toBe(reason)
      await expect.poll(() => faults.count(operation)).toBeGreaterThan(0)
      const { length } = ledger.records
      lease.abort(reason)
      await ended
      expect(ledger.records.length).toBe(length)
      expect(memory.held).toBe(0)
      faults.clear()
      await ledger.concatenate(storage, sources)
      await expectWhole(ledger, sources, whole)
    }
  })
})
