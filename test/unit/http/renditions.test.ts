import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../../src/ids.ts'
import { originalKey, renditionKey } from '../../../src/storage/keys.ts'
import { failedUpload, imageOf, renditionOf, storedUpload, testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'
import { begunUpload, wholeUpload } from '../../support/uploads.ts'

const presets = [
  { name: 'thumb', formats: ['webp'] },
  { name: 'large', formats: ['webp', 'avif', 'jpeg'] },
] as const
const chrome = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'

describe.each(databaseTargets)('a rendition, with records on $name,', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage, { presets })
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const image = async (given: Parameters<typeof imageOf>[2] = {}) => {
    const id = await storedUpload(test.database, disk.storage, Buffer.from('original'))
    await imageOf(test.database, id, { state: 'ready', ...given })
    return id
  }
  const make = (id: string, preset: string, format: string) =>
    renditionOf(test.database, disk.storage, id, preset, format)
  const get = (id: string, preset: string, headers: Record<string, string> = {}, method = 'GET') =>
    app.request(`/v1/images/${id}/${preset}`, { method, headers })

  describe('of a preset with several formats', () => {
    let id: string

    beforeAll(async () => {
      id = await image()
      // Neither in the order of the preset nor in one that says anything.
      for (const format of ['jpeg', 'avif', 'webp']) await make(id, 'large', format)
    })

    it.each([
      [chrome, 'webp'],
      ['image/avif', 'avif'],
      ['*/*', 'jpeg'],
      ['application/json', 'jpeg'],
    ])('is negotiated: %s', async (Accept, format) => {
      const response = await get(id, 'large', { Accept })
      expect(response.status).toBe(200)
      expect(response.headers.get('Content-Type')).toBe(`image/${format}`)
      expect(response.headers.get('ETag')).toBe(`"etag-of-large-${format}"`)
      expect(await response.text()).toBe(`the large as ${format}`)
    })

    it.each([
      [200, {}, 'GET'],
      [200, {}, 'HEAD'],
      [206, { Range: 'bytes=0-3' }, 'GET'],
      [304, { 'If-None-Match': '"etag-of-large-jpeg"' }, 'GET'],
      [304, { 'If-None-Match': '"etag-of-large-jpeg"' }, 'HEAD'],
      [412, { 'If-Match': '"other"' }, 'GET'],
      [416, { Range: 'bytes=1000-' }, 'GET'],
    ] as const)(
      'says in a %i that it depends on Accept: %j %s',
      async (status, headers, method) => {
        const response = await get(id, 'large', headers, method)
        expect(response.status).toBe(status)
        expect(response.headers.get('Vary')).toContain('Accept')
        await response.body?.cancel()
      },
    )

    it('says so beside what CORS depends on', async () => {
      const corsOrigins = ['https://one.example']
      const listed = testApp(test.database, disk.storage, { presets, corsOrigins })
      const response = await listed.request(`/v1/images/${id}/large`, { method: 'HEAD' })
      expect(response.headers.get('Vary')).toBe('Accept, Origin')
    })

    it('is the one whose format the URL names, whatever is accepted', async () => {
      const response = await get(id, 'large?format=avif', { Accept: 'image/jpeg' })
      expect(response.headers.get('Content-Type')).toBe('image/avif')
      expect(response.headers.get('Vary')).toBeNull()
      await response.body?.cancel()
    })

    it('depends on Accept also where only one of them was made', async () => {
      const other = await image()
      await make(other, 'large', 'webp')
      const response = await get(other, 'large', { Accept: 'image/avif' }, 'HEAD')
      expect(response.headers.get('Content-Type')).toBe('image/webp')
      expect(response.headers.get('Vary')).toContain('Accept')
    })
  })

  it('of a preset with one format depends on nothing', async () => {
    const id = await image()
    await make(id, 'thumb', 'webp')
    const response = await get(id, 'thumb', { Accept: 'image/png' })
    expect(response.status).toBe(200)
    expect(response.headers.get('Vary')).toBeNull()
    expect(response.headers.get('Content-Type')).toBe('image/webp')
    expect(response.headers.get('Content-Disposition')).toBe('inline')
    expect(response.headers.get('Cache-Control')).toContain('immutable')
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
    await response.body?.cancel()
  })

  it('that was made anew may be kept for ever only under its own URL', async () => {
    const id = await image()
    await renditionOf(test.database, disk.storage, id, 'thumb', 'webp', { revision: 2 })
    const cachingOf = async (query: string) => {
      const response = await app.request(`/v1/images/${id}/thumb${query}`)
      await response.body?.cancel()
      return [response.status, response.headers.get('Cache-Control'), response.headers.get('ETag')]
    }
    const etag = '"etag-of-thumb-webp"'
    expect(await cachingOf('?v=2')).toEqual([200, 'private, max-age=31536000, immutable', etag])
    for (const other of ['', '?v=1', '?v=3', '?v=', '?format=webp']) {
      expect(await cachingOf(other), other).toEqual([200, 'private, no-cache', etag])
    }
  })

  describe('that is not there yet', () => {
    it.each([
      ['processing', () => image({ state: 'processing' })],
      ['receiving', () => begunUpload(test.database)],
      ['assembling', () => wholeUpload(test.database)],
    ])('is 202 with the state while that is %s', async (state, create) => {
      const id = await create()
      const response = await get(id, 'large')
      expect(response.status).toBe(202)
      expect(response.headers.get('Retry-After')).toBe('1')
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(await response.json()).toEqual({ id, state })
      const head = await get(id, 'large', {}, 'HEAD')
      expect(head.status).toBe(202)
      expect(await head.text()).toBe('')
      expect(await (await get(id, 'nosuch')).json()).toMatchObject({ code: 'preset-not-found' })
    })

    it('is never to be had of an upload that is over, or a part of another one', async () => {
      const expired = await begunUpload(test.database, { expiresAt: Date.now() - 1 })
      const failed = await failedUpload(test.database, 'Storage has lost it.')
      const partial = await begunUpload(test.database, { isPartial: true })
      for (const [id, status, code] of [
        [expired, 410, 'upload-expired'],
        [failed, 410, 'upload-failed'],
        [partial, 409, 'upload-is-partial'],
      ] as const) {
        const response = await get(id, 'large')
        expect(response.headers.get('Content-Type')).toBe('application/problem+json')
        expect(await response.json()).toMatchObject({ status, code })
      }
    })

    it.each(['receiving', 'processing', 'ready', 'failed'])(
      'of somebody else is not there at all, also while that is %s',
      async (state) => {
        const owner = 'somebody'
        const id =
          state === 'receiving'
            ? await begunUpload(test.database, { owner })
            : await image({ owner, state: state as 'ready' })
        const stranger = await (await get(id, 'large')).json()
        expect(stranger).toEqual(await (await get(newId(), 'large')).json())
        expect(await (await get(id, 'nosuch')).json()).toEqual(stranger)
        expect(stranger).toMatchObject({ status: 404, code: 'image-not-found' })
      },
    )
  })

  it('of an image that cannot be converted says why', async () => {
    const failure = { error_code: 'corrupt-image', error_message: 'The file is cut off.' }
    const id = await image({ state: 'failed', ...failure })
    expect(await (await get(id, 'thumb')).json()).toMatchObject({
      status: 422,
      code: 'corrupt-image',
      detail: 'The file is cut off.',
    })
  })

  it('that was never made is told from one that cannot be', async () => {
    const id = await image()
    await make(id, 'large', 'webp')
    const codeOf = async (preset: string) => {
      const problem: unknown = await (await get(id, preset)).json()
      return problem
    }
    const missing = { status: 404, code: 'rendition-not-made' }
    expect(await codeOf('thumb')).toMatchObject(missing)
    expect(await codeOf('thumb')).toMatchObject({
      detail: expect.stringContaining('npm run reconvert -- --preset thumb'),
    })
    // Its other formats are there, so it may as well be one that moves.
    expect(await codeOf('large?format=avif')).toMatchObject({
      ...missing,
      detail: expect.stringMatching(/no avif of it.* moves/),
    })
    expect(await codeOf('large?format=png')).toMatchObject({
      status: 404,
      code: 'rendition-not-found',
    })
    expect(await codeOf('nosuch')).toMatchObject({ status: 404, code: 'preset-not-found' })
  })

  it('of a preset that is no longer made stays', async () => {
    const id = await image()
    const bytes = await make(id, 'retired', 'webp')
    const response = await get(id, 'retired')
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes)
  })

  it('that is made anew while it is asked for is the new one', async () => {
    const id = await image()
    await make(id, 'thumb', 'webp')
    const key = renditionKey(id, 'thumb', 'webp')
    const swapped = {
      ...disk.storage,
      async read(...given: Parameters<typeof disk.storage.read>) {
        if (given[0] === key) {
          await disk.storage.put(originalKey(id), Buffer.from('the new one'), 'image/webp')
          const row = { storage_key: originalKey(id), etag: 'new', size: 11 }
          const { queries } = test.database
          await queries.updateTable('renditions').set(row).where('image_id', '=', id).execute()
          await disk.storage.remove([key])
        }
        return disk.storage.read(...given)
      },
    }
    const response = await testApp(test.database, swapped).request(`/v1/images/${id}/thumb`)
    expect(response.status).toBe(200)
    expect(response.headers.get('ETag')).toBe('"new"')
    expect(await response.text()).toBe('the new one')
    expect((await get(id, 'thumb')).status).toBe(200)
    await disk.storage.remove([originalKey(id)])
    expect((await get(id, 'thumb')).status).toBe(404)
  })
})
