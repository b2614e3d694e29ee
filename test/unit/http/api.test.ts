import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { imageSchema, pageOf, uploadSchema } from '../../../src/http/schemas.ts'
import { newId } from '../../../src/ids.ts'
import {
  failedUpload,
  imageOf,
  renditionOf,
  storedUpload,
  testApp,
  unfinishedUpload,
} from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const openApi = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.unknown()),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})
const page = z.object({
  items: z.array(z.object({ id: z.string() })),
  nextCursor: z.string().nullable(),
})

describe.each(databaseTargets)('the API on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage)
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const upload = (owner = 'local') =>
    storedUpload(test.database, disk.storage, Buffer.from('original'), { owner })
  const readyImage = async () => {
    const id = await upload()
    await imageOf(test.database, id, { state: 'ready', format: 'jpeg', width: 800, height: 500 })
    return id
  }

  it('shows an image with its renditions and where to fetch them', async () => {
    const id = await readyImage()
    const bytes = await renditionOf(test.database, disk.storage, id, 'thumb', 'webp')
    const response = await app.request(`/v1/images/${id}`)
    expect(response.status).toBe(200)
    const image = imageSchema.parse(await response.json())
    expect(image).toMatchObject({
      id,
      state: 'ready',
      width: 800,
      renditions: [{ preset: 'thumb', format: 'webp', url: `/v1/images/${id}/thumb` }],
    })
    const rendition = await app.request(image.renditions[0]?.url ?? '')
    expect(rendition.headers.get('Content-Type')).toBe('image/webp')
    expect(rendition.headers.get('ETag')).toBe('"etag-of-thumb-webp"')
    expect(Buffer.from(await rendition.arrayBuffer())).toEqual(bytes)
  })

  it('never tells where a picture was taken or which camera took it', async () => {
    const id = await upload()
    const exif = {
      Photo: { BodySerialNumber: '123' },
      GPSInfo: { GPSLatitude: [1, 2, 3] },
      Image: { Model: 'X' },
    }
    await imageOf(test.database, id, { state: 'ready', exif: JSON.stringify(exif) })
    const text = await (await app.request(`/v1/images/${id}`)).text()
    expect(text).toContain('"Model":"X"')
    expect(text).not.toContain('GPSLatitude')
    expect(text).not.toContain('BodySerialNumber')
  })

  it('answers 202 for a rendition that is being made', async () => {
    const id = await upload()
    await imageOf(test.database, id)
    const response = await app.request(`/v1/images/${id}/thumb`)
    expect(response.status).toBe(202)
    expect(response.headers.get('Retry-After')).toBe('1')
    expect(await response.json()).toEqual({ id, state: 'processing' })
    expect((await app.request(`/v1/images/${id}/nosuch`)).status).toBe(404)
  })

  it('says why an image cannot be converted', async () => {
    const id = await upload()
    await imageOf(test.database, id, {
      state: 'failed',
      error_code: 'corrupt-image',
      error_message: 'The file is cut off.',
    })
    const response = await app.request(`/v1/images/${id}/thumb`)
    expect(response.status).toBe(422)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({
      code: 'corrupt-image',
      detail: 'The file is cut off.',
    })
    expect(await (await app.request(`/v1/uploads/${id}`)).json()).toMatchObject({
      state: 'stored',
      image: { state: 'failed', error: { code: 'corrupt-image' } },
    })
  })

  it.each([
    ['image/avif,image/webp,*/*', 'image/avif'],
    ['image/webp', 'image/webp'],
    ['image/webp;q=1, image/avif;q=0.5', 'image/webp'],
    ['image/avif,image/webp', 'image/avif'],
    ['image/png', 'image/webp'],
    [undefined, 'image/webp'],
  ])('picks the format of a preset with several by Accept: %s', async (accept, expected) => {
    const id = await readyImage()
    await renditionOf(test.database, disk.storage, id, 'large', 'avif')
    await renditionOf(test.database, disk.storage, id, 'large', 'webp')
    const response = await app.request(`/v1/images/${id}/large`, {
      headers: accept ? { Accept: accept } : {},
    })
    expect(response.headers.get('Content-Type')).toBe(expected)
    expect(response.headers.get('Vary')).toContain('Accept')
    await response.body?.cancel()
  })

  it('gives each format of a preset with several a URL of its own', async () => {
    const id = await readyImage()
    await renditionOf(test.database, disk.storage, id, 'large', 'avif')
    await renditionOf(test.database, disk.storage, id, 'large', 'webp')
    const { renditions } = imageSchema.parse(await (await app.request(`/v1/images/${id}`)).json())
    for (const { url, format } of renditions) {
      const response = await app.request(url, { headers: { Accept: 'image/png' } })
      expect(response.headers.get('Content-Type')).toBe(`image/${format}`)
      await response.body?.cancel()
    }
    expect((await app.request(`/v1/images/${id}/large?format=png`)).status).toBe(404)
  })

  it('gives a rendition that was made anew another URL, which is answered as well', async () => {
    const id = await readyImage()
    const given = { revision: 3, frames: 7 }
    await renditionOf(test.database, disk.storage, id, 'thumb', 'webp', given)
    await renditionOf(test.database, disk.storage, id, 'large', 'avif', given)
    await renditionOf(test.database, disk.storage, id, 'large', 'webp', given)
    const { renditions } = imageSchema.parse(await (await app.request(`/v1/images/${id}`)).json())
    expect(renditions.map(({ url, frames }) => [url, frames]).toSorted()).toEqual([
      [`/v1/images/${id}/large?format=avif&v=3`, 7],
      [`/v1/images/${id}/large?format=webp&v=3`, 7],
      [`/v1/images/${id}/thumb?v=3`, 7],
    ])
    for (const { url, format } of renditions) {
      const response = await app.request(url)
      expect(response.headers.get('Content-Type')).toBe(`image/${format}`)
      await response.body?.cancel()
    }
  })

  it('deletes an image once, and it is gone', async () => {
    const id = await readyImage()
    expect((await app.request(`/v1/images/${id}`, { method: 'DELETE' })).status).toBe(204)
    for (const url of [`/v1/images/${id}`, `/v1/uploads/${id}`, `/v1/uploads/${id}/content`]) {
      expect((await app.request(url)).status).toBe(404)
    }
    expect((await app.request(`/v1/images/${id}`, { method: 'DELETE' })).status).toBe(404)
  })

  it('shows nobody what belongs to somebody else', async () => {
    const id = await upload('somebody')
    await imageOf(test.database, id, { owner: 'somebody', state: 'ready' })
    for (const url of [
      `/v1/images/${id}`,
      `/v1/images/${id}/thumb`,
      `/v1/uploads/${id}`,
      `/v1/uploads/${id}/content`,
    ]) {
      expect((await app.request(url)).status).toBe(404)
    }
    expect((await app.request(`/v1/images/${id}`, { method: 'DELETE' })).status).toBe(404)
    expect(await (await app.request('/v1/uploads?limit=100')).text()).not.toContain(id)
    expect(await (await app.request('/v1/images?limit=100')).text()).not.toContain(id)
  })

  it.each(['/v1/images', '/v1/uploads'])(
    'pages through %s newest first, each item once',
    async (path) => {
      for (let n = 0; n < 5; n += 1) await readyImage()
      const seen: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const response: Response = await app.request(
          `${path}?limit=2${cursor && `&cursor=${cursor}`}`,
        )
        const { items, nextCursor } = page.parse(await response.json())
        expect(items.length).toBeLessThanOrEqual(2)
        seen.push(...items.map(({ id }) => id))
        cursor = nextCursor
      }
      expect(seen.length).toBeGreaterThanOrEqual(5)
      expect(seen).toEqual([...new Set(seen)].toSorted().toReversed())
    },
  )

  it('lists images by state', async () => {
    const response = await app.request('/v1/images?state=failed&limit=100')
    const { items } = pageOf(imageSchema).parse(await response.json())
    expect(new Set(items.map(({ state }) => state))).toEqual(new Set(['failed']))
  })

  it('shows an unfinished upload and where it stands', async () => {
    const id = await unfinishedUpload(test.database)
    expect(await (await app.request(`/v1/uploads/${id}`)).json()).toMatchObject({
      id,
      state: 'receiving',
      offset: 0,
      length: 10,
      contentUrl: null,
      image: null,
    })
  })

  it('tells until when an unfinished upload can go on, and of no other', async () => {
    const expiresAt = Date.now() + 90_000
    const id = await unfinishedUpload(test.database, { expiresAt })
    const unfinished = await (await app.request(`/v1/uploads/${id}`)).json()
    expect(unfinished).toMatchObject({ expiresAt: new Date(expiresAt).toISOString() })
    const stored = await (await app.request(`/v1/uploads/${await upload()}`)).json()
    expect(stored).toMatchObject({ state: 'stored', expiresAt: null })
  })

  it('shows an upload whose time is over, or that failed, as what it is', async () => {
    const expired = await unfinishedUpload(test.database, { expiresAt: Date.now() - 1 })
    const shown = await (await app.request(`/v1/uploads/${expired}`)).json()
    expect(uploadSchema.parse(shown)).toMatchObject({
      state: 'expired',
      contentUrl: null,
    })
    const failed = await failedUpload(test.database, 'Storage has lost it.')
    const response = await (await app.request(`/v1/uploads/${failed}`)).json()
    expect(uploadSchema.parse(response)).toMatchObject({
      state: 'failed',
      error: { message: 'Storage has lost it.' },
    })
  })

  it.each([
    ['/v1/images?limit=0', 400, 'bad-request'],
    ['/v1/images?limit=x', 400, 'bad-request'],
    ['/v1/images?state=odd', 400, 'bad-request'],
    ['/v1/images?cursor=bm90LWFuLWlk', 400, 'bad-cursor'],
    [`/v1/images/${newId()}`, 404, 'image-not-found'],
    [`/v1/uploads/${newId()}`, 404, 'upload-not-found'],
    ['/v1/images/not-an-id', 404, 'image-not-found'],
    ['/v1/images/%00', 404, 'image-not-found'],
    ['/v1/images/%E0%A4%A', 404, 'image-not-found'],
    ['/v1/uploads/not-an-id', 404, 'upload-not-found'],
    ['/nowhere', 404, 'page-not-found'],
  ])('answers %s with a problem document', async (path, status, code) => {
    const response = await app.request(path)
    expect(response.status).toBe(status)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ type: 'about:blank', status, code })
  })

  it('answers an unexpected error with a problem that tells nothing of the inside', async () => {
    const broken = { ...disk.storage, read: () => Promise.reject(new Error('secret path')) }
    const id = await upload()
    const response = await testApp(test.database, broken).request(`/v1/uploads/${id}/content`)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
  })

  it('answers any web origin unless some are listed', async () => {
    const headers = { Origin: 'https://one.example' }
    const open = await app.request('/v1/config', { headers })
    expect(open.headers.get('Access-Control-Allow-Origin')).toBe('*')
    const listed = testApp(test.database, disk.storage, { corsOrigins: ['https://one.example'] })
    const allowed = await listed.request('/v1/nowhere', { headers })
    expect(allowed.headers.get('Access-Control-Allow-Origin')).toBe('https://one.example')
    const other = await listed.request('/v1/config', { headers: { Origin: 'https://two.example' } })
    expect(other.headers.get('Access-Control-Allow-Origin')).toBeNull()
  })

  it('is not ready while a part of it is not, and tells how much there is to do', async () => {
    const load = { queued: 7, active: 2, dead: 1, oldestAgeSeconds: 42 }
    const health = {
      report: async () => ({ ready: false, checks: { database: 'no answer in time' }, load }),
    }
    const response = await testApp(test.database, disk.storage, { health }).request('/readyz')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      status: 'unavailable',
      checks: { database: 'no answer in time' },
      queue: load,
    })
    const ready = await app.request('/readyz')
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({ status: 'ok', checks: { database: 'ok' }, queue: null })
    expect((await app.request('/healthz')).status).toBe(200)
  })

  it('describes itself', async () => {
    const document = openApi.parse(await (await app.request('/openapi.json')).json())
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/images',
        '/v1/images/{id}',
        '/v1/images/{id}/{preset}',
        '/v1/uploads/{id}/content',
        '/v1/admin/jobs',
      ]),
    )
    expect(document.components.schemas).toHaveProperty('Image')
    expect(document.components.schemas).toHaveProperty('Problem')
  })
})
