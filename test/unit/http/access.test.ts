import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { accessRules } from '../../../src/auth/access.ts'
import { SignedUrls } from '../../../src/auth/signed-urls.ts'
import { createTokenAuthenticator } from '../../../src/auth/tokens.ts'
import { createLinks } from '../../../src/http/links.ts'
import { imageSchema } from '../../../src/http/schemas.ts'
import { createViews } from '../../../src/http/views.ts'
import { imageOf, renditionOf, storedUpload, testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'
import { bearer, inSeconds, testSecret, tokenOf } from '../../support/tokens.ts'

const description = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ 'x-access': z.array(z.string()), security: z.array(z.json()) }),
    ),
  ),
  components: z.object({ securitySchemes: z.record(z.string(), z.json()) }),
})

describe.each(databaseTargets)('the API for users on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>
  let ada: Record<string, string>
  let bob: Record<string, string>
  let admin: Record<string, string>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    const signedUrls = new SignedUrls()
    signedUrls.useKey(Buffer.alloc(32, 1))
    app = testApp(test.database, disk.storage, {
      authenticator: createTokenAuthenticator({
        keys: { secret: testSecret },
        issuer: undefined,
        audience: undefined,
      }),
      signedUrls,
      views: createViews(createLinks('', signedUrls)),
    })
    ada = bearer(await tokenOf('ada'))
    bob = bearer(await tokenOf('bob'))
    admin = bearer(await tokenOf('root', { scope: 'admin' }))
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const adasImage = async () => {
    const filename = 'me.jpg'
    const original = Buffer.from('original')
    const id = await storedUpload(test.database, disk.storage, original, { owner: 'ada', filename })
    await imageOf(test.database, id, {
      owner: 'ada',
      state: 'ready',
      sha256: 'f'.repeat(64),
      filename,
      exif: JSON.stringify({ Image: { Model: 'X' } }),
    })
    await renditionOf(test.database, disk.storage, id, 'thumb', 'webp')
    return id
  }
  const post = (imageId: string) =>
    test.database.queries
      .insertInto('posts')
      .values({
        id: crypto.randomUUID(),
        image_id: imageId,
        owner: 'ada',
        caption: '',
        comment_count: 0,
        created_at: 1,
      })
      .execute()
  const read = async (id: string, headers: Record<string, string>) => {
    const response = await app.request(`/v1/images/${id}`, { headers })
    expect(response.status).toBe(200)
    return imageSchema.parse(await response.json())
  }

  it('says what is missing, and what is wrong with a token', async () => {
    const expired = bearer(await tokenOf('ada', { exp: inSeconds(-60) }))
    const realm = 'Bearer realm="landfall"'
    const wrong = `${realm}, error="invalid_token", error_description=`
    for (const [headers, code, challenge] of [
      [{}, 'token-required', realm],
      [
        bearer('x'),
        'token-invalid',
        `${wrong}"The token cannot be used. It is not one that is accepted here."`,
      ],
      [
        { Authorization: 'Basic eDp5' },
        'token-invalid',
        `${wrong}"The token cannot be used. Authorization has to be Bearer and one token."`,
      ],
      [expired, 'token-expired', `${wrong}"The token has expired."`],
    ] as const) {
      const response = await app.request('/v1/images', { headers: { ...headers } })
      expect(response.status).toBe(401)
      expect(await response.json()).toMatchObject({ code })
      expect(response.headers.get('WWW-Authenticate')).toBe(challenge)
    }
    const response = await app.request('/v1/admin/jobs', { headers: ada })
    expect(response.status).toBe(403)
    expect(response.headers.get('WWW-Authenticate')).toBe(
      `${realm}, error="insufficient_scope", scope="admin"`,
    )
  })

  it('takes no notice of a token where none is needed', async () => {
    expect((await app.request('/v1/config', { headers: bearer('x') })).status).toBe(200)
  })

  it('opens renditions and originals to whoever has the URL from an answer', async () => {
    const id = await adasImage()
    const { renditions, contentUrl } = await read(id, ada)
    for (const url of [renditions[0]?.url ?? '', contentUrl ?? '']) {
      const plain = url.split('?', 1)[0] ?? ''
      expect((await app.request(plain)).status).toBe(401)
      expect((await app.request(plain, { headers: bob })).status).toBe(404)
      for (const headers of [{}, bearer('x'), bob]) {
        const response = await app.request(url, { headers })
        expect(response.status).toBe(200)
        await response.body?.cancel()
      }
      expect((await app.request(url, { method: 'HEAD' })).status).toBe(200)
    }
    const rendition = await app.request(renditions[0]?.url ?? '')
    expect(rendition.headers.get('Cache-Control')).toBe('private, max-age=31536000, immutable')
    const headers = { 'If-None-Match': rendition.headers.get('ETag') ?? '' }
    expect((await app.request(renditions[0]?.url ?? '', { headers })).status).toBe(304)
    await rendition.body?.cancel()
  })

  it('opens nothing else by such a URL, nor after its time', async () => {
    const [id, other] = [await adasImage(), await adasImage()]
    const { renditions } = await read(id, ada)
    const url = new URL(renditions[0]?.url ?? '', 'http://localhost')
    const { search, searchParams } = url
    const later = new URLSearchParams(searchParams)
    later.set('expires', String(Number(searchParams.get('expires')) + 3_600))
    for (const path of [
      `/v1/images/${other}/thumb${search}`,
      `/v1/images/${id}/large${search}`,
      `/v1/uploads/${id}/content${search}`,
      `/v1/images/${id}${search}`,
      `${url.pathname}?${later}`,
      `${url.pathname}?expires=${searchParams.get('expires')}`,
      `${url.pathname}?expires=1&signature=${searchParams.get('signature')}`,
      `${url.pathname}?expires=${searchParams.get('expires')}&signature=%00`,
    ]) {
      expect((await app.request(path)).status, path).toBe(401)
    }
    expect((await app.request(`/v1/images/${id}${search}`, { method: 'DELETE' })).status).toBe(401)
  })

  it('shows an image in a post to all users, but what is private about it to none of them', async () => {
    const id = await adasImage()
    expect((await app.request(`/v1/images/${id}`, { headers: bob })).status).toBe(404)
    await post(id)
    const shown = await read(id, bob)
    expect(shown).toMatchObject({ filename: null, exif: null, sha256: null, contentUrl: null })
    const rendition = await app.request(shown.renditions[0]?.url ?? '')
    expect(rendition.status).toBe(200)
    await rendition.body?.cancel()
    for (const headers of [ada, admin]) {
      const whole = await read(id, headers)
      expect(whole).toMatchObject({ filename: 'me.jpg', exif: { Image: { Model: 'X' } } })
      expect([whole.sha256, whole.contentUrl]).not.toContain(null)
    }
    expect((await app.request(`/v1/uploads/${id}/content`, { headers: bob })).status).toBe(404)
    expect((await app.request(`/v1/images/${id}`)).status).toBe(401)
    const removal = await app.request(`/v1/images/${id}`, { method: 'DELETE', headers: bob })
    expect(removal.status).toBe(404)
  })

  it('says of each of its operations who may do it', async () => {
    const response = await app.request('/openapi.json')
    const { paths, components } = description.parse(await response.json())
    expect(components.securitySchemes).toMatchObject({ bearerAuth: { scheme: 'bearer' } })
    const said = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        operation: `${method.toUpperCase()} ${path}`,
        ...operation,
      })),
    )
    expect(said.length).toBeGreaterThan(10)
    const rules: Readonly<Record<string, readonly string[]>> = accessRules
    for (const { operation, 'x-access': roles } of said) {
      expect(roles, operation).toEqual(rules[operation])
    }
    expect(paths['/v1/config']?.get?.security).toEqual([])
    expect(paths['/v1/images']?.get?.security).toEqual([{ bearerAuth: [] }])
    expect(paths['/v1/images/{id}/{preset}']?.get?.security).toEqual([
      { bearerAuth: [] },
      { signedLink: [] },
    ])
  })

  const foreign = 'https://evil.example'

  it.each(['GET', 'POST', 'DELETE'])(
    'lets no page of another origin do what admins do: %s',
    async (method) => {
      const open = testApp(test.database, disk.storage)
      const options = (Origin: string) => ({
        method,
        headers: { Origin, 'Content-Type': 'text/plain', Host: 'landfall.example:8080' },
      })
      const path = method === 'POST' ? '/v1/admin/jobs/retry' : '/v1/admin/jobs'
      for (const origin of [foreign, 'null', 'http://landfall.example', 'http://localhost:8080']) {
        const response = await open.request(path, options(origin))
        expect(response.status).toBe(403)
        expect(await response.json()).toMatchObject({ code: 'cross-origin' })
        expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull()
      }
      const own = await open.request(path, options('https://landfall.example:8080'))
      expect(await own.text()).not.toContain('cross-origin')
      const listed = testApp(test.database, disk.storage, { corsOrigins: [foreign] })
      const allowed = await listed.request(path, options(foreign))
      expect(await allowed.text()).not.toContain('cross-origin')
      expect(allowed.headers.get('Access-Control-Allow-Origin')).toBe(foreign)
      const named = testApp(test.database, disk.storage, { publicUrl: `${foreign}/files` })
      expect(await (await named.request(path, options(foreign))).text()).not.toContain('cross-')
    },
  )

  it('answers the question whether a page may send a token, without one', async () => {
    const headers = {
      Origin: foreign,
      'Access-Control-Request-Method': 'DELETE',
      'Access-Control-Request-Headers': 'authorization',
    }
    const preflight = (path: string) => app.request(path, { method: 'OPTIONS', headers })
    const images = await preflight('/v1/images')
    expect(images.status).toBe(204)
    expect(images.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(images.headers.get('Access-Control-Allow-Headers')).toContain('authorization')
    const jobs = await preflight('/v1/admin/jobs')
    expect(jobs.headers.get('Access-Control-Allow-Origin')).toBeNull()
  })
})
