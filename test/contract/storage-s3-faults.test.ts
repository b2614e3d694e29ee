import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { multipartStarting, type Progress, type Storage } from '../../src/storage/contract.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { seededRandom } from '../support/random.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { type FaultProxy, startFaultProxy } from '../support/s3-faults.ts'
import { contentOf, digestOf, MiB, sha256, TestLedger, useCredentials } from '../support/storage.ts'

const slowDown = { status: 503, code: 'SlowDown' }
const unavailable = { code: 'storage-unavailable', status: 503, retryAfter: expect.any(Number) }
const lost = { code: 'upload-lost', status: 410 }

describe('an S3 that fails', () => {
  let s3: TestS3
  let faults: FaultProxy
  let storage: Storage
  const content = contentOf(21 * MiB)

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
  })

  async function finish(ledger: TestLedger, whole = content): Promise<void> {
    await ledger.append(storage, whole)
    await ledger.complete(storage)
    await expectWhole(ledger, whole)
  }

  async function expectWhole(ledger: TestLedger, whole = content): Promise<void> {
    expect(await digestOf(storage, ledger.key)).toBe(sha256(whole))
    expect(await s3.listKeys(ledger.key)).toEqual([ledger.key])
  }

  it('has its errors tried again before anybody hears of them', async () => {
    faults.fail({ operation: 'UploadPart', fault: slowDown, times: 1 })
    faults.fail({ operation: 'UploadPart', fault: 'drop-before', after: 2, times: 1 })
    await finish(new TestLedger(content.length))
    expect(faults.count('UploadPart')).toBe(5)
  })

  it('keeps the contiguous prefix when a part fails for good', async () => {
    const ledger = new TestLedger(content.length)
    faults.fail({ operation: 'UploadPart', fault: slowDown, after: 1 })
    await expect(ledger.append(storage, content)).rejects.toMatchObject(unavailable)
    expect(ledger.position.offset).toBe(8 * MiB)
    expect(ledger.parts.map((part) => part.number)).toEqual([1])
    faults.clear()
    await finish(ledger)
  })

  it('is right when a connection breaks after the operation took effect', async () => {
    for (const operation of ['CreateMultipartUpload', 'UploadPart', 'PutObject'] as const) {
      faults.fail({ operation, fault: 'drop-after', times: 1 })
    }
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content, 17 * MiB)
    faults.fail({ operation: 'CompleteMultipartUpload', fault: 'drop-after', times: 1 })
    await finish(ledger)
    expect(faults.count('CompleteMultipartUpload')).toBe(2)
  })

  it('completes later what it could not complete now', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    faults.fail({ operation: 'CompleteMultipartUpload', fault: slowDown })
    await expect(ledger.complete(storage)).rejects.toMatchObject(unavailable)
    expect(await s3.listKeys(ledger.key)).toEqual([])
    faults.clear()
    await finish(ledger)
  })

  it('does not take a completion that answers 200 with an error for done', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    const fault = { status: 200, code: 'InternalError' }
    faults.fail({ operation: 'CompleteMultipartUpload', fault })
    await expect(ledger.complete(storage)).rejects.toMatchObject(unavailable)
    faults.clear()
    await finish(ledger)
  })

  it('finds that a completion took effect of which the answer was lost', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    faults.fail({ operation: 'CompleteMultipartUpload', fault: 'drop-after', times: 1 })
    faults.fail({ operation: 'CompleteMultipartUpload', fault: slowDown, after: 1 })
    await expect(ledger.complete(storage)).rejects.toMatchObject(unavailable)
    faults.clear()
    await ledger.complete(storage)
    await expectWhole(ledger)
  })

  it('reports an upload whose parts are gone, and does not call it complete', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    await storage.discard({ ...ledger.position, tail: undefined })
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
    expect(await s3.listKeys(ledger.key)).toEqual([])
  })

  it('finds out that parts are gone where completing only fails, as with Ceph', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    const message = 'This multipart completion is already in progress'
    const fault = { status: 500, code: 'InternalError', message }
    faults.fail({ operation: 'CompleteMultipartUpload', fault })
    faults.fail({ operation: 'ListParts', fault: slowDown, times: 3 })
    await expect(ledger.complete(storage)).rejects.toMatchObject(unavailable)
    await storage.discard(ledger.position)
    faults.fail({ operation: 'ListParts', fault: { status: 404, code: 'NoSuchKey' } })
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
  })

  it('reports an upload whose object has another size', async () => {
    const small = content.subarray(0, 1_000)
    const ledger = new TestLedger(small.length)
    await ledger.append(storage, small)
    await storage.put(ledger.key, small.subarray(1), 'image/png')
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
  })

  it('reports a part that somebody replaced', async () => {
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content, 8 * MiB)
    const stale = new TestLedger(content.length)
    stale.position = ledger.position
    stale.parts.push(...ledger.parts)
    await ledger.append(storage, content)
    await stale.append(storage, contentOf(content.length, 2))
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
  })

  it('reports a tail that is not the one it recorded', async () => {
    const ledger = new TestLedger()
    await ledger.append(storage, content, 10_000)
    await storage.put(ledger.position.tail?.key ?? '', content.subarray(0, 10_001), 'image/png')
    await expect(ledger.append(storage, content, 20_000)).rejects.toMatchObject(lost)
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
  })

  it('has an old tail until the new one is recorded', async () => {
    const small = content.subarray(0, 30_000)
    const ledger = new TestLedger(small.length)
    await ledger.append(storage, small, 10_000)
    const crash = new Error('crash')
    ledger.beforeRecord = (progress: Progress) => {
      if (progress.offset > 10_000) throw crash
    }
    const wrong = contentOf(30_000, 2)
    for (const end of [20_000, 25_000]) {
      await expect(ledger.append(storage, wrong, end)).rejects.toBe(crash)
    }
    ledger.beforeRecord = () => {}
    await ledger.append(storage, small, 20_000)
    await finish(ledger, small)
  })

  it('names a multipart upload and a tail in the ledger before anything is in them', async () => {
    const ledger = new TestLedger()
    const stored: [puts: number, parts: number][] = []
    ledger.beforeRecord = () => {
      stored.push([faults.count('PutObject'), faults.count('UploadPart')])
    }
    await ledger.append(storage, content, 1_000)
    expect(stored[0]).toEqual([0, 0])
    expect(ledger.records[0]).toMatchObject({ offset: 0, tailUnsettled: true })
    await ledger.append(storage, content, 9 * MiB)
    expect(stored.slice(2, 4)).toEqual([
      [1, 0],
      [1, 0],
    ])
    const before = { offset: 1_000, tail: { size: 1_000 } }
    expect(ledger.records[2]).toMatchObject({ ...before, multipartId: multipartStarting })
    expect(ledger.records[3]).toMatchObject({ ...before, multipartId: expect.stringMatching(/./) })
    expect(ledger.records[4]).toMatchObject({ offset: 8 * MiB, tail: { size: 0 } })
  })

  it('cannot spoil a tail by a write that arrives late, after somebody else went on', async () => {
    const ledger = new TestLedger()
    await ledger.append(storage, content, 1_000)
    // The first writer has begun to store its next tail when another one takes the upload over.
    const late = new TestLedger()
    late.position = ledger.position
    late.beforeRecord = ({ tailUnsettled }) => {
      if (!tailUnsettled) throw new Error('the lease is lost')
    }
    const other = Buffer.concat([content.subarray(0, 1_000), contentOf(500, 9)])
    await expect(late.append(storage, other)).rejects.toThrow('lease is lost')
    ledger.position = late.position
    const keys = await s3.listKeys(ledger.key)
    await ledger.append(storage, content, 2_000)
    // What the first one sent reaches storage only now, wherever it was going.
    const spoilt = keys.filter((key) => key !== ledger.position.tail?.key)
    expect(spoilt).toHaveLength(2)
    for (const key of spoilt) await storage.put(key, other, 'application/octet-stream')
    await ledger.append(storage, content, 3_000)
    expect(ledger.position.offset).toBe(3_000)
    ledger.position = { ...ledger.position, length: 3_000 }
    await ledger.complete(storage)
    await expectWhole(ledger, content.subarray(0, 3_000))
  })

  it.each([
    ['a full part', content.length, 14 * MiB],
    ['the last part of a request', 14 * MiB, content.length],
  ])(
    'cannot spoil a part by %s that arrives late, after somebody else went on',
    async (_, end, next) => {
      const ledger = new TestLedger(content.length)
      await ledger.append(storage, content, 8 * MiB)
      const { position } = ledger
      const writerFrom = (parts = ledger.parts.slice(0, 1)) => {
        const writer = new TestLedger(content.length)
        writer.position = position
        writer.parts.push(...parts)
        return writer
      }
      // The first writer is taken over from before it can record what it stores.
      const first = writerFrom()
      first.beforeRecord = ({ parts }) => {
        if (parts.length > 0) throw new Error('the lease is lost')
      }
      await expect(first.append(storage, content, end)).rejects.toThrow('lease is lost')
      ledger.position = first.position
      await ledger.append(storage, content, next)
      await ledger.append(storage, content)
      // What the first one sent reaches storage only now.
      await writerFrom().append(storage, content, end)
      await ledger.complete(storage)
      await expectWhole(ledger)
    },
  )

  it('cannot spoil a tail by a first attempt that arrives after others succeeded', async () => {
    const small = content.subarray(0, 4_000)
    const ledger = new TestLedger(small.length)
    faults.fail({ operation: 'PutObject', fault: { lateMs: 500 }, times: 1 })
    for (const end of [1_000, 2_000, 3_000]) await ledger.append(storage, small, end)
    await faults.untilLanded()
    await finish(ledger, small)
  })

  it('may carry out at any later time what was given up', { timeout: 60_000 }, async () => {
    const impatient = createS3Storage({ ...options(), limits: { attempts: 2 } })
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      const ledger = new TestLedger(seed === 3 ? undefined : content.length)
      faults.clear()
      for (const operation of ['UploadPart', 'PutObject'] as const) {
        faults.fail({ operation, fault: { lateMs: 400 }, probability: 0.6 })
      }
      while (ledger.position.offset < content.length) {
        const end = Math.min(content.length, ledger.position.offset + random.integer(1, 12 * MiB))
        await ledger.append(impatient, content, end).catch((error) => {
          expect(error).toMatchObject(unavailable)
        })
      }
      faults.heal()
      await faults.untilLanded()
      ledger.position = { ...ledger.position, length: content.length }
      await ledger.complete(storage)
      await expectWhole(ledger)
    }
    await impatient.close()
  })

  it('is given up when it says nothing at all', async () => {
    faults.fail({ operation: 'PutObject', fault: 'hang' })
    faults.fail({ operation: 'GetObject', fault: 'hang' })
    const small = content.subarray(0, 1_000)
    const impatient = createS3Storage({ ...options(), limits: { inactivity: 500, attempts: 2 } })
    await expect(new TestLedger(1_000).append(impatient, small)).rejects.toMatchObject(unavailable)
    await expect(impatient.read('images/none')).rejects.toMatchObject(unavailable)
    await impatient.close()
  })

  it('is not let to say that an object is missing when it only fails', async () => {
    faults.fail({ operation: 'HeadObject', fault: { status: 500, code: 'InternalError' } })
    await expect(storage.head('images/none')).rejects.toMatchObject(unavailable)
  })

  it('is asked for its bucket before an upload is given up for lost', async () => {
    const small = content.subarray(0, 1_000)
    const ledger = new TestLedger(small.length)
    await ledger.append(storage, small)
    faults.fail({ operation: 'HeadObject', fault: { status: 404, code: 'NotFound' }, times: 2 })
    faults.fail({ operation: 'HeadBucket', fault: { status: 404, code: 'NotFound' }, times: 2 })
    await expect(ledger.complete(storage)).rejects.toMatchObject(unavailable)
    await expect(storage.ping()).rejects.toMatchObject(unavailable)
    await storage.ping()
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
    await ledger.complete(storage)
  })

  it('is full when it says so', async () => {
    for (const fault of [
      { status: 403, code: 'QuotaExceeded' },
      { status: 507, code: 'Whatever' },
    ]) {
      faults.clear()
      faults.fail({ operation: 'PutObject', fault })
      await expect(storage.put('images/x', content, 'image/png')).rejects.toMatchObject({
        code: 'storage-full',
        status: 507,
      })
    }
  })

  it('tells nothing of itself in public', async () => {
    faults.fail({ operation: 'PutObject', fault: { status: 403, code: 'InvalidAccessKeyId' } })
    const error = await storage.put('images/x', content, 'image/png').catch((thrown) => thrown)
    expect(error).toMatchObject(unavailable)
    expect(error.message).not.toMatch(/InvalidAccessKeyId|127\.0\.0\.1|test-key/)
    expect(error.cause.name).toBe('InvalidAccessKeyId')
  })

  it('does not take other bytes of the same length for the tail it recorded', async () => {
    const ledger = new TestLedger()
    await ledger.append(storage, content, 10_000)
    await storage.put(ledger.position.tail?.key ?? '', contentOf(10_000, 2), 'image/png')
    await expect(ledger.append(storage, content, 20_000)).rejects.toMatchObject(lost)
    await expect(ledger.complete(storage)).rejects.toMatchObject(lost)
  })

  it('is not read to a false end when it dies in the middle of an object', async () => {
    await storage.put('images/cut', content.subarray(0, 3 * MiB), 'image/png')
    faults.fail({ operation: 'GetObject', fault: 'truncate-answer' })
    await expect(buffer(await storage.read('images/cut'))).rejects.toMatchObject(unavailable)
  })

  it.runIf(process.env.S3_TEST_ENDPOINT)(
    'keeps no multipart upload that the ledger never knew by its id',
    async () => {
      const crash = new Error('crash')
      for (const forget of ['discard', 'go on'] as const) {
        const ledger = new TestLedger(content.length)
        ledger.beforeRecord = ({ multipartId }) => {
          if (multipartId) throw crash
        }
        await expect(ledger.append(storage, content)).rejects.toBe(crash)
        expect(ledger.position.multipartId).toBe(multipartStarting)
        const orphans = await s3.listMultiparts(`${ledger.key}`)
        expect(orphans).toHaveLength(1)
        ledger.beforeRecord = () => {}
        if (forget === 'discard') await storage.discard(ledger.position)
        else await finish(ledger)
        expect(await s3.listMultiparts(ledger.key)).toEqual([])
      }
    },
  )

  it.runIf(process.env.S3_TEST_ENDPOINT)(
    'keeps no multipart upload of which the answer was lost',
    async () => {
      faults.fail({ operation: 'CreateMultipartUpload', fault: 'drop-after', times: 1 })
      const ledger = new TestLedger(content.length)
      await finish(ledger)
      expect(await s3.listMultiparts(ledger.key)).toEqual([])
    },
  )
})
