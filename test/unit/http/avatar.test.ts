import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Principal } from '../../../src/auth/principal.ts'
import { SignedUrls } from '../../../src/auth/signed-urls.ts'
import { createLinks } from '../../../src/http/links.ts'
import { avatarSchema } from '../../../src/http/schemas.ts'
import { createViews } from '../../../src/http/views.ts'
import { newId } from '../../../src/ids.ts'
import { imageOf, renditionOf, storedUpload, testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const presets = [
  { name: 'thumb', formats: ['webp'] },
  { name: 'medium', formats: ['avif', 'webp'] },
  { name: 'large', formats: ['webp'] },
] as const
const shapes = {
  thumb: { width: 320, height: 200 },
  medium: { width: 1_280, height: 800 },
  large: { width: 2_048, height: 1_280 },
} as const

/** Whoever the field names, so that tests can be several people. */
const byName = {
  authenticate: async (field: string | undefined): Promise<Principal | undefined> =>
    field === undefined
      ? undefined
      : { id: decodeURIComponent(field), isAdmin: field === 'admin', isStorage: false },
}

describe.each(databaseTargets)('the picture of a user, with records on $name,', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    const signedUrls = new SignedUrls()
    signedUrls.useKey(Buffer.alloc(32, 1))
    const views = createViews(createLinks('', signedUrls))
    const given = { presets, authenticator: byName, signedUrls, views }
    app = testApp(test.database, disk.storage, given)
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  /** A user nobody knows of yet. */
  const somebody = (name = 'somebody') => `${name} ${newId()}`
  const ask = (user: string, path: string, init: RequestInit = {}) => {
    const headers = { Authorization: encodeURIComponent(user), ...init.headers }
    return app.request(path, { ...init, headers })
  }
  const put = (user: string, imageId: unknown) =>
    ask(user, '/v1/me/avatar', {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ imageId }),
    })
  const pathOf = (user: string, query = '') =>
    `/v1/users/${encodeURIComponent(user)}/avatar${query}`
  const see = (user: string, query = '', headers: Record<string, string> = {}, by = 'viewer') =>
    ask(by, pathOf(user, query), { headers })

  async function record(owner: string, given: Parameters<typeof imageOf>[2] = {}) {
    const id = await storedUpload(test.database, disk.storage, Buffer.from('original'), { owner })
    await imageOf(test.database, id, { owner, state: 'ready', ...given })
    return id
  }
  async function picture(owner: string) {
    const id = await record(owner)
    const make = (preset: keyof typeof shapes, format: string) =>
      renditionOf(test.database, disk.storage, id, preset, format, {
        ...shapes[preset],
        etag: `${id}-${preset}-${format}`,
      })
    await make('thumb', 'webp')
    await make('medium', 'avif')
    await make('medium', 'webp')
    await make('large', 'webp')
    return id
  }

  it('is set by its owner, and seen by every user and by a signed link', async () => {
    const user = somebody()
    const imageId = await picture(user)
    expect((await see(user)).status).toBe(404)
    const answer = await put(user, imageId)
    expect(answer.status).toBe(200)
    const { url, ...told } = avatarSchema.parse(await answer.json())
    expect(told).toEqual({ userId: user, imageId })
    const seen = await see(user)
    expect(seen.status).toBe(200)
    expect(await seen.text()).toBe('the thumb as webp')
    expect((await app.request(pathOf(user))).status).toBe(401)
    expect((await app.request(url)).status).toBe(200)
    expect((await app.request(url.replace('somebody', 'nobody'))).status).toBe(401)
  })

  it('leaves the image itself to its owner', async () => {
    const user = somebody()
    const imageId = await picture(user)
    await put(user, imageId)
    for (const path of [`/v1/images/${imageId}`, `/v1/images/${imageId}/thumb`]) {
      expect((await ask('viewer', path)).status).toBe(404)
      expect((await ask(user, path)).status).toBe(200)
    }
  })

  it.each([
    ['', 'thumb', 'webp'],
    ['?size=1', 'thumb', 'webp'],
    ['?size=200', 'thumb', 'webp'],
    ['?size=201', 'medium', 'webp'],
    ['?size=1280', 'large', 'webp'],
    ['?size=4096', 'large', 'webp'],
  ])('is the smallest one that fills a square of the size: %s', async (query, preset, format) => {
    const user = somebody()
    await put(user, await picture(user))
    const seen = await see(user, query, { Accept: 'image/webp' })
    expect(await seen.text()).toBe(`the ${preset} as ${format}`)
  })

  it('is in the format that is accepted, where there are several', async () => {
    const user = somebody()
    await put(user, await picture(user))
    const seen = await see(user, '?size=800', { Accept: 'image/avif,image/webp' })
    expect(await seen.text()).toBe('the medium as avif')
    expect(seen.headers.get('Vary')).toContain('Accept')
  })

  it('is of the first preset when several made the same of it', async () => {
    const user = somebody()
    const id = await record(user)
    const small = { width: 100, height: 100 }
    for (const preset of ['large', 'medium', 'thumb']) {
      await renditionOf(test.database, disk.storage, id, preset, 'webp', small)
    }
    await put(user, id)
    expect(await (await see(user)).text()).toBe('the thumb as webp')
    expect(await (await see(user, '?size=500')).text()).toBe('the thumb as webp')
  })

  it('is another one at once when it is replaced, and none when it is removed', async () => {
    const user = somebody()
    await put(user, await picture(user))
    const first = await see(user)
    expect(first.headers.get('Cache-Control')).toBe('private, no-cache')
    const known = { 'If-None-Match': first.headers.get('ETag') ?? '' }
    expect((await see(user, '', known)).status).toBe(304)

    const second = await picture(user)
    expect((await put(user, second)).status).toBe(200)
    const seen = await see(user, '', known)
    expect(seen.status).toBe(200)
    expect(seen.headers.get('ETag')).toBe(`"${second}-thumb-webp"`)

    for (let time = 1; time <= 2; time += 1) {
      const removed = await ask(user, '/v1/me/avatar', { method: 'DELETE' })
      expect(removed.status).toBe(204)
      expect((await see(user, '', known)).status).toBe(404)
    }
    expect((await ask(user, `/v1/images/${second}`)).status).toBe(200)
  })

  it('goes with its image', async () => {
    const user = somebody()
    const imageId = await picture(user)
    await put(user, imageId)
    expect((await ask(user, `/v1/images/${imageId}`, { method: 'DELETE' })).status).toBe(204)
    const gone = await see(user)
    expect(gone.status).toBe(404)
    expect(await gone.json()).toMatchObject({ code: 'avatar-not-found' })
    expect((await put(user, imageId)).status).toBe(404)
  })

  it('is on its way while the image is being converted, and says why it cannot be', async () => {
    const user = somebody()
    const imageId = await record(user, { state: 'processing' })
    expect((await put(user, imageId)).status).toBe(200)
    const waiting = await see(user)
    expect(waiting.status).toBe(202)
    expect(waiting.headers.get('Retry-After')).toBe('1')
    expect(await waiting.json()).toEqual({ id: imageId, state: 'processing' })
    const failure = { error_code: 'corrupt-image', error_message: 'The file is cut off.' }
    await put(user, await record(user, { state: 'failed', ...failure }))
    const failed = await see(user)
    expect(failed.status).toBe(422)
    expect(await failed.json()).toMatchObject({ code: 'corrupt-image' })
  })

  it('cannot be an image of somebody else, or none, not even for an admin', async () => {
    const [user, other] = [somebody(), somebody()]
    const imageId = await picture(other)
    const unstored = newId()
    for (const [by, id] of [
      [user, imageId],
      [user, unstored],
      ['admin', imageId],
    ] as const) {
      const answer = await put(by, id)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ code: 'image-not-found' })
    }
    expect((await see(user)).status).toBe(404)
  })

  it('stays as it was when another one cannot be set', async () => {
    const user = somebody()
    const imageId = await picture(user)
    await put(user, imageId)
    expect((await put(user, newId())).status).toBe(404)
    expect((await see(user)).headers.get('ETag')).toBe(`"${imageId}-thumb-webp"`)
  })

  it.each(['auth0|a/b?c#d', '100%', '%2F', 'Jürgen & 母', 'a'.repeat(255), "o'neil(1)*!~"])(
    'is found by any name: %s',
    async (name) => {
      const user = name.length < 200 ? somebody(name) : name
      const { url } = avatarSchema.parse(await (await put(user, await picture(user))).json())
      expect((await see(user)).status).toBe(200)
      expect((await app.request(url)).status).toBe(200)
      expect((await see(`${user}x`.slice(1))).status).toBe(404)
    },
  )

  it.each(['%00', 'a%00b', 'a%0Ab', '%E0%A4%A', '%ED%A0%80', '%', 'a'.repeat(256), '%C2%85'])(
    'is not there for what is nobody’s name: %s',
    async (name) => {
      const answer = await ask('viewer', `/v1/users/${name}/avatar`)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ code: 'avatar-not-found' })
    },
  )

  it.each([
    ['no JSON', 'x', 400],
    ['no object', '[]', 400],
    ['no image', '{}', 400],
    ['no id', '{"imageId":"a\\u0000"}', 400],
    ['a body without end', `{"x":"${'x'.repeat(70_000)}"}`, 413],
  ])('is not set by %s', async (_, body, status) => {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await ask('viewer', '/v1/me/avatar', { method: 'PUT', headers, body })
    expect(answer.status).toBe(status)
  })

  it.each(['?size=0', '?size=4097', '?size=x', '?size=1.5', '?size='])(
    'has no size like %s',
    async (query) => {
      expect((await see('viewer', query)).status).toBe(400)
    },
  )

  it('is one of those that are set at the same time', async () => {
    const user = somebody()
    const ids = await Promise.all(Array.from({ length: 8 }, () => picture(user)))
    const answers = await Promise.all(ids.map((id) => put(user, id)))
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200))
    const etag = (await see(user)).headers.get('ETag')
    expect(ids.map((id) => `"${id}-thumb-webp"`)).toContain(etag)
  })

  it('is not there when its image is deleted while it is set, and nothing breaks', async () => {
    for (let round = 0; round < 10; round += 1) {
      const user = somebody()
      const imageId = await picture(user)
      if (round % 2 === 0) await put(user, imageId)
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => put(user, imageId)),
        ask(user, `/v1/images/${imageId}`, { method: 'DELETE' }),
        ...Array.from({ length: 4 }, () => put(user, imageId)),
        see(user),
      ])
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => ![200, 204, 404].includes(status))).toEqual([])
      expect((await see(user)).status).toBe(404)
    }
  })
})
