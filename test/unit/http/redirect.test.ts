import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LinkOptions, SignedLinks, Storage } from '../../../src/storage/contract.ts'
import { originalKey, renditionKey } from '../../../src/storage/keys.ts'
import { imageOf, renditionOf, storedUpload, testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets

describe('with links to storage, delivery', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>
  let id: string
  let reads = 0
  let signed: (LinkOptions & { key: string })[] = []

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
    const links: SignedLinks = {
      async signLink(key, options) {
        signed.push({ key, ...options })
        return `https://bucket.example/${key}?signature=secret`
      },
    }
    const storage: Storage = {
      ...disk.storage,
      read: (...given) => {
        reads += 1
        return disk.storage.read(...given)
      },
    }
    app = testApp(test.database, storage, { links })
    const found = { state: 'ready', sha256: 'known', content_type: 'image/jpeg' } as const
    const named = { filename: 'sea & sun.jpg' }
    id = await storedUpload(test.database, disk.storage, Buffer.from('original'), named)
    await imageOf(test.database, id, found)
    for (const format of ['webp', 'avif']) {
      await renditionOf(test.database, disk.storage, id, 'large', format)
    }
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    reads = 0
    signed = []
    return app.request(path, { method, headers })
  }
  const content = () => `/v1/uploads/${id}/content`
  const large = () => `/v1/images/${id}/large`

  it('leads to the bytes of an original, under the headers it would have here', async () => {
    const response = await ask(content())
    expect(response.status).toBe(307)
    const key = originalKey(id)
    expect(response.headers.get('Location')).toBe(`https://bucket.example/${key}?signature=secret`)
    expect(await response.text()).toBe('')
    expect(reads).toBe(0)
    expect(signed).toEqual([
      {
        key,
        contentType: 'image/jpeg',
        contentDisposition: 'inline; filename="sea & sun.jpg"',
        cacheControl: 'private, max-age=31536000, immutable',
        seconds: 300,
      },
    ])
  })

  it('lets nobody but the client keep where they are, and for less time than that is good', async () => {
    const { headers } = await ask(content())
    const [, age] = /^private, max-age=(\d+)$/.exec(headers.get('Cache-Control') ?? '') ?? []
    expect(Number(age)).toBeLessThan(signed[0]?.seconds ?? 0)
    expect(headers.get('ETag')).toBeNull()
  })

  it('of a rendition leads to the format that was negotiated, and says that it was', async () => {
    const response = await ask(large(), { Accept: 'image/avif,image/webp' })
    expect(response.status).toBe(307)
    expect(response.headers.get('Vary')).toContain('Accept')
    expect(signed).toMatchObject([
      { key: renditionKey(id, 'large', 'avif'), contentType: 'image/avif' },
    ])
  })

  it('makes a download of what a browser could run', async () => {
    const svg = await storedUpload(test.database, disk.storage, Buffer.from('<svg/>'))
    const found = { sha256: 'known', content_type: 'image/svg+xml' }
    await imageOf(test.database, svg, { state: 'failed', ...found })
    expect((await ask(`/v1/uploads/${svg}/content`)).status).toBe(307)
    expect(signed[0]?.contentDisposition).toMatch(/^attachment/)
  })

  it('has nobody keep the way to a rendition under a URL that may lead to another one', async () => {
    const response = await ask(`${large()}?format=webp&v=7`)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(signed).toMatchObject([{ cacheControl: 'private, no-cache' }])
  })

  it('has nobody keep the way to bytes that were not looked at', async () => {
    const fresh = await storedUpload(test.database, disk.storage, Buffer.from('<html>'), {
      contentType: 'image/png',
    })
    await imageOf(test.database, fresh)
    const response = await ask(`/v1/uploads/${fresh}/content`)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(signed).toMatchObject([
      { contentType: 'application/octet-stream', cacheControl: 'private, no-cache' },
    ])
    expect(signed[0]?.contentDisposition).toMatch(/^attachment/)
  })

  it.each([
    [200, {}, 'HEAD'],
    [304, { 'If-None-Match': '*' }, 'GET'],
    [412, { 'If-Match': '"other"' }, 'GET'],
    [416, { Range: 'bytes=1000-' }, 'GET'],
    // Storage knows the bytes by another ETag.
    [206, { Range: 'bytes=0-3', 'If-Range': '"etag-of-large-webp"' }, 'GET'],
    [200, { 'If-Match': '"etag-of-large-webp"' }, 'GET'],
  ] as const)('answers here with %i: %j %s', async (status, headers, method) => {
    const response = await ask(large(), headers, method)
    expect(response.status).toBe(status)
    expect(response.headers.get('Location')).toBeNull()
    expect(signed).toEqual([])
    await response.body?.cancel()
  })

  it('lets a range be asked of storage', async () => {
    expect((await ask(large(), { Range: 'bytes=0-3' })).status).toBe(307)
  })

  it('answers here what is not there yet, or never will be', async () => {
    const young = await storedUpload(test.database, disk.storage, Buffer.from('original'))
    await imageOf(test.database, young)
    expect((await ask(`/v1/images/${young}/large`)).status).toBe(202)
    expect((await ask(`/v1/images/${id}/nosuch`)).status).toBe(404)
    expect(signed).toEqual([])
  })
})
