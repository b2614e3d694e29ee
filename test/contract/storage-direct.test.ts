import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { type DirectUpload, hasDirectUploads } from '../../src/storage/direct-uploads.ts'
import { incomingKey } from '../../src/storage/keys.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { type FaultProxy, startFaultProxy } from '../support/s3-faults.ts'
import {
  contentOf,
  digestOf,
  sha256,
  startDisk,
  TestLedger,
  useCredentials,
} from '../support/storage.ts'

const prefix = 'some prefix/'
const content = contentOf(300_000)
const other = contentOf(300_000, 2)
const never = new AbortController().signal

it('storage on disk takes no bytes but from this program, and does not pretend to', async () => {
  const disk = await startDisk()
  expect(hasDirectUploads(disk.storage)).toBe(false)
  await disk.close()
})

describe('bytes that a client sends to S3 itself', () => {
  let s3: TestS3
  let proxy: FaultProxy
  let storage: ReturnType<typeof createS3Storage>
  /** Behind a proxy that fails as it is told. */
  let failing: ReturnType<typeof createS3Storage>

  beforeAll(async () => {
    s3 = await startS3()
    useCredentials(s3)
    proxy = await startFaultProxy(s3.endpoint)
    storage = createS3Storage({ ...s3, region: 'us-east-1', prefix })
    const limits = { attempts: 1, copying: 1_000 }
    const { endpoint } = proxy
    failing = createS3Storage({ ...s3, endpoint, region: 'us-east-1', prefix, limits })
  })
  afterAll(async () => {
    await storage.close()
    await failing.close()
    await proxy.close()
    await s3.close()
  })

  const sign = (key: string, given: Partial<DirectUpload> = {}) =>
    storage.signUpload(key, {
      size: content.length,
      contentType: 'image/jpeg',
      seconds: 300,
      ...given,
    })
  async function send(key: string, body = content): Promise<void> {
    const { url, headers } = await sign(key, { size: body.length })
    const response = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) })
    await response.arrayBuffer()
    expect(response.status).toBe(200)
  }
  const adopt = (ledger: TestLedger, from = storage) =>
    from.adopt(ledger.position, incomingKey(ledger.position.id), ledger.record, never)
  const begun = () => new TestLedger(content.length)

  it('lie under the key that the URL was signed for', async () => {
    const key = incomingKey(newId())
    await send(key)
    expect(await digestOf(storage, key)).toBe(sha256(content))
    expect(await s3.listKeys(prefix + key)).toEqual([prefix + key])
  })

  it('are of the size and the type that was signed', async () => {
    const { url } = await sign(incomingKey(newId()), { seconds: 77 })
    const { searchParams, origin } = new URL(url)
    expect(origin).toBe(new URL(s3.endpoint).origin)
    expect(searchParams.get('X-Amz-Expires')).toBe('77')
    expect(searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host')
    for (const [type, body] of [
      ['image/jpeg', content.subarray(1)],
      ['image/jpeg', Buffer.concat([content, content])],
      ['text/html', content],
    ] as const) {
      const status = await put(url, { 'Content-Type': type }, body)
      // The S3 server from npm does not look at signatures; a real one does.
      if (s3.isExternal) expect(status).toBe(403)
    }
  })

  it('become those of an upload, all of them at once', async () => {
    const ledger = begun()
    await send(incomingKey(ledger.position.id))
    expect(await adopt(ledger)).toEqual({ outcome: 'adopted' })
    expect(ledger.position.offset).toBe(content.length)
    expect(await storage.head(ledger.key)).toBeUndefined()
    await ledger.complete(storage)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(content))
  })

  it('never change once they were taken over, whatever is sent by the same URL', async () => {
    const ledger = begun()
    const key = incomingKey(ledger.position.id)
    await send(key)
    await adopt(ledger)
    await send(key, other)
    await ledger.complete(storage)
    await send(key, other)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(content))
  })

  it('are not there before they are sent', async () => {
    const ledger = begun()
    expect(await adopt(ledger)).toEqual({ outcome: 'absent' })
    expect(ledger.records).toEqual([])
  })

  it('are not taken when they are too many or too few', async () => {
    const ledger = begun()
    await send(incomingKey(ledger.position.id), content.subarray(1))
    expect(await adopt(ledger)).toEqual({ outcome: 'other-size', size: content.length - 1 })
    expect(ledger.records).toEqual([])
  })

  it('may be a single one', async () => {
    const ledger = new TestLedger(1)
    await send(incomingKey(ledger.position.id), Buffer.from('x'))
    expect(await adopt(ledger)).toEqual({ outcome: 'adopted' })
    await ledger.complete(storage)
    expect(await storage.head(ledger.key)).toMatchObject({ size: 1 })
  })

  it.each([
    ['CreateMultipartUpload', 'drop-before'],
    ['CreateMultipartUpload', 'drop-after'],
    ['UploadPartCopy', 'drop-before'],
    ['UploadPartCopy', 'drop-after'],
  ] as const)('are taken by the next try when %s breaks (%s)', async (operation, fault) => {
    proxy.clear()
    const ledger = begun()
    await send(incomingKey(ledger.position.id))
    proxy.fail({ operation, fault, times: 1 })
    await expect(adopt(ledger, failing)).rejects.toMatchObject({ code: 'storage-unavailable' })
    expect(proxy.injected()).toBe(1)
    expect(ledger.position.offset).toBe(0)
    expect(await adopt(ledger, failing)).toEqual({ outcome: 'adopted' })
    await ledger.complete(failing)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(content))
    if (s3.listsMultiparts) expect(await s3.listMultiparts(prefix + ledger.key)).toEqual([])
  })

  it('are not replaced by a copy that is carried out late', async () => {
    proxy.clear()
    const ledger = begun()
    const key = incomingKey(ledger.position.id)
    await send(key, other)
    proxy.fail({ operation: 'UploadPartCopy', fault: { lateMs: 500 }, times: 1 })
    await expect(adopt(ledger, failing)).rejects.toMatchObject({ code: 'storage-unavailable' })
    await send(key)
    await adopt(ledger, failing)
    await proxy.untilLanded()
    await ledger.complete(failing)
    expect(await digestOf(storage, ledger.key)).toBe(sha256(content))
  })

  it('leave no trace when nothing more comes of them', async () => {
    proxy.clear()
    const ledger = begun()
    await send(incomingKey(ledger.position.id))
    proxy.fail({ operation: 'UploadPartCopy', fault: 'drop-after', times: 1 })
    await expect(adopt(ledger, failing)).rejects.toThrow()
    await storage.discard(ledger.position)
    if (s3.listsMultiparts) expect(await s3.listMultiparts(prefix + ledger.key)).toEqual([])
    expect(await s3.listKeys(prefix + ledger.key)).toEqual([])
  })

  it('are known by bucket and key, and only where they are ours', () => {
    const key = incomingKey(newId())
    expect(storage.keyOf(s3.bucket, prefix + key)).toBe(key)
    expect(storage.keyOf('another', prefix + key)).toBeUndefined()
    expect(storage.keyOf(s3.bucket, key)).toBeUndefined()
  })
})

/** As `fetch`, but sends the length that the body has whatever was signed. */
async function put(url: string, headers: Record<string, string>, body: Buffer): Promise<number> {
  const sent = request(url, {
    method: 'PUT',
    headers: { ...headers, 'Content-Length': body.length },
  })
  sent.on('error', () => {})
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }]
  response.resume()
  return response.statusCode
}
