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
    ['bytes=-5000', 0, 1_000],
    ['Bytes=0-0', 0, 1],
    ['bytes=0-4, 5-9', 0, 10],
  ])('come in part for %s', async (range, start, end) => {
    const response = await get({ Range: range })
    expect(response.status).toBe(206)
    expect(response.headers.get('Content-Range')).toBe(`bytes ${start}-${end - 1}/1000`)
    expect(response.headers.get('Content-Length')).toBe(String(end - start))
    expect(await bytesOf(response)).toEqual(content.subarray(start, end))
  })

  it.each(['lines=5000-', 'bytes 0-9', 'bytes=a-b'])(
    'come whole for %s, which is no range of bytes',
    async (range) => {
      const response = await get({ Range: range })
      expect(response.status).toBe(200)
      await response.body?.cancel()
    },
  )

  it('come in part for GET only', async () => {
    for (const range of ['bytes=0-9', 'bytes=1000-']) {
      const head = await get({ Range: range }, 'HEAD')
      expect(head.status).toBe(200)
      expect(head.headers.get('Content-Length')).toBe('1000')
    }
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

  it.each(['GET', 'HEAD'])('are not sent again to a client that has them: %s', async (method) => {
    const whole = await get({}, 'HEAD')
    const etag = whole.headers.get('ETag') ?? ''
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const response = await get({ 'If-None-Match': known, 'Cache-Control': 'no-cache' }, method)
      expect(response.status).toBe(304)
      for (const name of ['ETag', 'Cache-Control']) {
        expect(response.headers.get(name)).toBe(whole.headers.get(name))
      }
      expect(await response.text()).toBe('')
    }
    const other = await get({ 'If-None-Match': '"other"' }, method)
    expect(other.status).toBe(200)
    await other.body?.cancel()
  })

  it('are those that If-Match names, or none', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('ETag') ?? ''
    for (const wanted of [etag, `"x", ${etag}`, '*']) {
      const response = await get({ 'If-Match': wanted, Range: 'bytes=0-9' })
      expect(response.status).toBe(206)
      await response.body?.cancel()
    }
    for (const wanted of ['"other"', `W/${etag}`, etag.replaceAll('"', ''), '']) {
      const response = await get({ 'If-Match': wanted, 'If-None-Match': etag })
      expect(response.status).toBe(412)
      expect(await response.json()).toMatchObject({ code: 'precondition-failed', status: 412 })
    }
  })

  it('are as old as nobody knows, so conditions by date are none', async () => {
    const date = new Date(Date.now() + 86_400_000).toUTCString()
    for (const name of ['If-Modified-Since', 'If-Unmodified-Since']) {
      expect((await get({ [name]: date }, 'HEAD')).status).toBe(200)
    }
    const ranged = await get({ Range: 'bytes=0-9', 'If-Range': date })
    expect(ranged.status).toBe(200)
    await ranged.body?.cancel()
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

  const declared = (contentType: string) =>
    storedUpload(test.database, disk.storage, content, { contentType })
  const head = (id: string) => app.request(`/v1/uploads/${id}/content`, { method: 'HEAD' })

  it('are shown in place only as what they were found to be', async () => {
    const id = await declared('text/html')
    await imageOf(test.database, id, { content_type: 'image/png', sha256: 'known' })
    const { headers } = await head(id)
    expect(headers.get('Content-Type')).toBe('image/png')
    expect(headers.get('Content-Disposition')).toMatch(/^inline/)
    expect(headers.get('Cache-Control')).toContain('immutable')
  })

  it.each([
    ['image/svg+xml', 'image/svg+xml'],
    ['application/pdf', 'application/pdf'],
    ['application/xml', 'application/xml'],
    // Nobody knows what they are.
    [null, 'application/octet-stream'],
  ])('found to be %s are a download, whatever the client said', async (found, shown) => {
    const id = await declared('image/png')
    const settled = { sha256: 'known', content_type: found }
    await imageOf(test.database, id, { state: 'failed', ...settled })
    const { headers } = await head(id)
    expect(headers.get('Content-Type')).toBe(shown)
    expect(headers.get('Content-Disposition')).toMatch(/^attachment/)
  })

  it('are a download under another ETag until they were looked at', async () => {
    const id = await declared('image/png')
    await imageOf(test.database, id, { content_type: 'image/png' })
    const before = (await head(id)).headers
    expect(before.get('Content-Type')).toBe('application/octet-stream')
    expect(before.get('Content-Disposition')).toMatch(/^attachment/)
    const found = { content_type: 'image/png', sha256: 'known' }
    await test.database.queries.updateTable('images').set(found).where('id', '=', id).execute()
    const after = (await head(id)).headers
    expect(after.get('Content-Type')).toBe('image/png')
    expect(after.get('ETag')).not.toBe(before.get('ETag'))
  })

  it('of an empty upload are empty, also in part', async () => {
    const id = await storedUpload(test.database, disk.storage, Buffer.alloc(0))
    for (const headers of [{}, { Range: 'bytes=0-' }, { Range: 'bytes=-5' }]) {
      const response = await app.request(`/v1/uploads/${id}/content`, { headers })
      expect(response.status).toBe(200)
      expect(await bytesOf(response)).toHaveLength(0)
    }
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
