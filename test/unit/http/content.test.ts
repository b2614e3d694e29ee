import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Storage } from '../../../src/storage/contract.ts'
import {
  failedUpload,
  imageOf,
  storedUpload,
  testApp,
  unfinishedUpload,
} from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets
const content = contentOf(1_000)

describe('the bytes of an upload', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>
  let url: string

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage)
    url = `/v1/uploads/${await storedUpload(test.database, disk.storage, content, { filename: 'é "a".jpg' })}/content`
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    app.request(url, { method, headers })
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

  it('come whole, with a strong ETag and immutable caching', async () => {
    const response = await get()
    expect(response.status).toBe(200)
    expect(await bytesOf(response)).toEqual(content)
    expect(response.headers.get('Content-Length')).toBe('1000')
    expect(response.headers.get('ETag')).toMatch(/^"[^"]+"$/)
    expect(response.headers.get('Cache-Control')).toContain('immutable')
    expect(response.headers.get('Accept-Ranges')).toBe('bytes')
  })

  it('are not to be kept unasked while their type is still being found out', async () => {
    const id = await storedUpload(test.database, disk.storage, content)
    await imageOf(test.database, id)
    const response = await app.request(`/v1/uploads/${id}/content`, { method: 'HEAD' })
    expect(response.headers.get('Cache-Control')).toBe('private, no-cache')
  })

  it('come without a body for HEAD, with the same headers', async () => {
    const [whole, head] = [await get(), await get({}, 'HEAD')]
    await whole.body?.cancel()
    expect(head.status).toBe(200)
    expect(await bytesOf(head)).toHaveLength(0)
    expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(whole.headers))
  })

  it('are not read for HEAD, for a client that has them, or for a range that is not there', async () => {
    let reads = 0
    const counting: Storage = {
      ...disk.storage,
      read: (...given) => {
        reads += 1
        return disk.storage.read(...given)
      },
    }
    const counted = testApp(test.database, counting)
    const etag = (await counted.request(url, { method: 'HEAD' })).headers.get('ETag') ?? ''
    await counted.request(url, { headers: { 'If-None-Match': etag } })
    await counted.request(url, { headers: { Range: 'bytes=1000-' } })
    expect(reads).toBe(0)
  })

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=990-', 990, 1_000],
    ['bytes=-5', 995, 1_000],
    ['bytes=5-99999', 5, 1_000],
  ])('come in part for %s', async (range, start, end) => {
    const response = await get({ Range: range })
    expect(response.status).toBe(206)
    expect(response.headers.get('Content-Range')).toBe(`bytes ${start}-${end - 1}/1000`)
    expect(response.headers.get('Content-Length')).toBe(String(end - start))
    expect(await bytesOf(response)).toEqual(content.subarray(start, end))
  })

  it('are refused for a range past the end, with the size', async () => {
    const response = await get({ Range: 'bytes=1000-' })
    expect(response.status).toBe(416)
    expect(response.headers.get('Content-Range')).toBe('bytes */1000')
  })

  it.each(['bytes=0-1,5-6', 'bytes=x', 'lines=1-2', 'bytes=9-1'])(
    'come whole or not at all, but never wrong, for the odd range %s',
    async (range) => {
      const response = await get({ Range: range })
      expect([200, 416]).toContain(response.status)
      if (response.status === 200) expect(await bytesOf(response)).toEqual(content)
    },
  )

  it('come whole when If-Range names other bytes', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('ETag') ?? ''
    expect((await get({ Range: 'bytes=0-9', 'If-Range': '"other"' })).status).toBe(200)
    expect((await get({ Range: 'bytes=0-9', 'If-Range': etag })).status).toBe(206)
  })

  it('are not sent again to a client that has them', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('ETag') ?? ''
    for (const known of [etag, `"x", ${etag}`, '*']) {
      const response = await get({ 'If-None-Match': known })
      expect(response.status).toBe(304)
      expect(response.headers.get('ETag')).toBe(etag)
    }
    expect((await get({ 'If-None-Match': '"other"' })).status).toBe(200)
  })

  it('carry the file name of the client, whatever is in it, as a name and nothing else', async () => {
    const disposition = (await get({}, 'HEAD')).headers.get('Content-Disposition')
    expect(disposition).toContain("filename*=UTF-8''%C3%A9%20%22a%22.jpg")
  })

  it.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'application/pdf'])(
    'of type %s are a download that cannot run',
    async (contentType) => {
      const id = await storedUpload(test.database, disk.storage, content, { contentType })
      const response = await app.request(`/v1/uploads/${id}/content`, { method: 'HEAD' })
      expect(response.headers.get('Content-Type')).toBe(contentType)
      expect(response.headers.get('Content-Disposition')).toMatch(/^attachment/)
      expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
      expect(response.headers.get('Content-Security-Policy')).toContain('sandbox')
    },
  )

  it('of an empty upload are empty', async () => {
    const id = await storedUpload(test.database, disk.storage, Buffer.alloc(0))
    const response = await app.request(`/v1/uploads/${id}/content`)
    expect(response.status).toBe(200)
    expect(await bytesOf(response)).toHaveLength(0)
  })

  it('are not there before the last one is', async () => {
    const response = await app.request(
      `/v1/uploads/${await unfinishedUpload(test.database)}/content`,
    )
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'upload-not-stored', status: 409 })
  })

  it('are gone for good when the upload was given up or storage lost them', async () => {
    const expired = await unfinishedUpload(test.database, { expiresAt: Date.now() - 1 })
    const failed = await failedUpload(test.database, 'Storage has lost it.')
    for (const [id, problem] of [
      [expired, { code: 'upload-expired', status: 410 }],
      [failed, { code: 'upload-failed', status: 410, detail: 'Storage has lost it.' }],
    ] as const) {
      const response = await app.request(`/v1/uploads/${id}/content`)
      expect(response.status).toBe(410)
      expect(await response.json()).toMatchObject(problem)
    }
  })
})
