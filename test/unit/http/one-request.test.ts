import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openAuthenticator } from '../../../src/auth/principal.ts'
import { isStreamed } from '../../../src/http/streaming.ts'
import { testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets
const imageView = z.object({ id: z.string(), filename: z.string().nullable(), size: z.number() })
const problemView = z.object({ code: z.string() })

describe('a file in one request, without a socket,', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage, { authenticator: openAuthenticator() })
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const send = (path: string, init: RequestInit) => app.request(path, { method: 'POST', ...init })
  const codeOf = async (response: Response) => problemView.parse(await response.json()).code

  it('may be longer than the bodies of other requests', async () => {
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(contentOf(200_000))]), 'a.bin')
    const response = await send('/v1/images', { body: form })
    expect(response.status).toBe(202)
    const image = imageView.parse(await response.json())
    expect(image).toMatchObject({ filename: 'a.bin', size: 200_000 })
    expect(response.headers.get('Location')).toBe(`/v1/images/${image.id}`)
  })

  it('is refused without a body', async () => {
    const response = await send('/v1/images', {})
    expect([response.status, await codeOf(response)]).toEqual([400, 'no-file'])
  })

  it.each([
    ['multipart/form-data', 'bad-form'],
    ['multipart/form-data; boundary=""', 'bad-form'],
    [`multipart/form-data; boundary=${'a'.repeat(300)}`, 'bad-form'],
    ['multipart/form-data; boundary=other', 'bad-form'],
  ])('is refused as %s', async (type, code) => {
    const response = await send('/v1/images', { body: 'a', headers: { 'Content-Type': type } })
    expect([response.status, await codeOf(response)]).toEqual([400, code])
  })

  it.each(['', 'é', 'a'.repeat(256), 'a\tb'])('is refused with the key "%s"', async (key) => {
    const response = await send('/v1/images', { body: 'a', headers: { 'Idempotency-Key': key } })
    expect([response.status, await codeOf(response)]).toEqual([400, 'bad-header'])
  })

  it.each(['-1', '61', '1.5', 'x'])('is refused with a wait of %s', async (wait) => {
    expect((await send(`/v1/images?wait=${wait}`, { body: 'a' })).status).toBe(400)
  })

  it('leaves the limit of other bodies as it is, whether or not their length is said', async () => {
    const body = JSON.stringify({ kind: 'k'.repeat(70_000) })
    const json = { 'Content-Type': 'application/json' }
    for (const headers of [json, { ...json, 'Content-Length': `${body.length}` }]) {
      const response = await send('/v1/admin/jobs/retry', { body, headers })
      expect([response.status, await codeOf(response)]).toEqual([413, 'body-too-large'])
    }
  })

  it('is described with its form, its statuses and its key', async () => {
    const text = await (await app.request('/openapi.json')).text()
    const { paths } = z
      .object({
        paths: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))),
      })
      .parse(JSON.parse(text))
    const post = paths['/v1/images']?.post
    expect(Object.keys(z.record(z.string(), z.unknown()).parse(post?.responses))).toEqual([
      '200',
      '202',
      '400',
      '401',
      '404',
      '409',
      '413',
      '415',
      '422',
      '423',
      '429',
      '503',
      '507',
      'default',
    ])
    expect(JSON.stringify(post?.requestBody)).toContain('multipart/form-data')
    expect(JSON.stringify(post?.parameters)).toContain('Idempotency-Key')
  })
})

it.each([
  ['POST', '/v1/images', true],
  ['POST', '/v1/image%73', true],
  ['PUT', '/v1/upload-links/a/content', true],
  ['GET', '/v1/images', false],
  ['POST', '/v1/images/', false],
  ['PUT', '/v1/upload-links/a/b/content', false],
  ['POST', '/v1/images%', false],
])('%s %s has its body taken from the socket: %s', (method, path, expected) => {
  expect(isStreamed(method, path)).toBe(expected)
})
