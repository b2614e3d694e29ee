/** What clients can reach with the lists of uploads they send, over HTTP. */
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, type StorageUnderTest, sha256, startDisk } from '../support/storage.ts'
import { deleteUpload, headUpload, patchUpload, tusHeaders } from '../support/tus-requests.ts'
import { idOf } from '../support/upload.ts'
import { serveTus } from '../support/upload-server.ts'

const bytes = contentOf(1_000)

describe.each(databaseTargets)('a list of uploads in a request, on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let served: Awaited<ReturnType<typeof serveTus>>
  let url: string
  let witness: ReturnType<typeof witnessOf>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    served = await serveTus(test.database, disk.storage)
    url = served.server.url
    witness = witnessOf(test.database, disk.storage)
  })
  afterAll(async () => {
    await served.server[Symbol.asyncDispose]()
    await disk.close()
    await test.cleanup()
  })

  /** A partial upload, complete if it has bytes. */
  async function partial(content?: Buffer): Promise<string> {
    const answer = await post({
      'Upload-Concat': 'partial',
      'Upload-Length': String(content?.length ?? 10),
    })
    const id = idOf(new URL(answer.location ?? '', url).href)
    if (content) await patchUpload(url, id, 0, content)
    return id
  }
  const final = (...urls: string[]) => post({ 'Upload-Concat': `final;${urls.join(' ')}` })
  /** As the header is written, which `fetch` would have an opinion on. */
  function post(headers: Record<string, string>, body = '') {
    const { promise, resolve, reject } = Promise.withResolvers<Posted>()
    const sent = request(`${url}/files`, { method: 'POST', headers: { ...tusHeaders, ...headers } })
    sent.on('error', reject)
    sent.on('response', (answer) => {
      const { location } = answer.headers
      const status = answer.statusCode ?? 0
      text(answer).then((said) => resolve({ status, location, said }), reject)
    })
    sent.end(body)
    return promise
  }
  const expectJoined = async ({ status, location }: Posted, content: Buffer) => {
    expect(status).toBe(201)
    const id = idOf(new URL(location ?? '', url).href)
    expect(await witness.digest(id)).toBe(sha256(content))
    return id
  }

  it.each<readonly [string, (id: string) => string]>([
    ['a path', (id) => `/files/${id}`],
    ['a whole URL', (id) => `${url}/files/${id}`],
    ['a query', (id) => `/files/${id}?a=b`],
    ['a fragment', (id) => `/files/${id}#a`],
    ['a trailing slash', (id) => `/files/${id}/`],
    ['dot segments, written so and in another way', (id) => `/files/../files/%2e%2e/files/./${id}`],
    [
      'another scheme, that a proxy may have taken off',
      (id) => `${url.replace('http', 'https')}/files/${id}`,
    ],
  ])('may name them by URLs with %s', async (_, urlOf) => {
    const [one, two] = [await partial(bytes), await partial(bytes)]
    await expectJoined(await final(urlOf(one), urlOf(two)), Buffer.concat([bytes, bytes]))
  })

  it.each<readonly [string, (id: string) => string]>([
    ['of another host', (id) => `http://example.com/files/${id}`],
    ['of another port', (id) => `http://127.0.0.1:1/files/${id}`],
    ['of another host, without a scheme', (id) => `//example.com/files/${id}`],
    ['of another host, in the clothes of a path', (id) => `/\\example.com/files/${id}`],
    [
      'of another host, with ours as a name',
      (id) => `http://${new URL(url).host}@example.com/files/${id}`,
    ],
    ['of another kind', (id) => `file:///files/${id}`],
    ['that runs', (id) => `javascript:/files/${id}`],
    ['of another path', (id) => `/other/${id}`],
    ['of what lies below', (id) => `/files/${id}/content`],
    ['of what an upload is called elsewhere', (id) => `/v1/uploads/${id}`],
    ['in other letters', (id) => `/files/${id.toUpperCase()}`],
    ['with an encoded slash', (id) => `/files%2f${id}`],
    ['with more after it', (id) => `/files/${id}%00`],
    ['in no known encoding', () => '/files/\u00e9\u00ff'],
    ['of the place itself', () => '/files/'],
    ['of nobody', () => `/files/${newId()}`],
    ['that cannot be read', () => 'http://['],
  ])('is refused with a URL %s, and the others stay free', async (_, urlOf) => {
    const [one, two] = [await partial(bytes), await partial(bytes)]
    const refused = await final(`/files/${one}`, urlOf(two))
    expect(refused).toMatchObject({ status: 400, said: expect.stringContaining('Upload-Concat') })
    expect(refused.said).not.toContain(' at ')
    await expectJoined(await final(`/files/${one}`, `/files/${two}`), Buffer.concat([bytes, bytes]))
  })

  it.each(['final;', 'final; ', 'final', 'Final;/files/x', 'partial;', 'final /files/x', 'full'])(
    'is refused as %j',
    async (header) => {
      expect(await post({ 'Upload-Concat': header, 'Upload-Length': '1' })).toMatchObject({
        status: 400,
      })
      expect(await post({ 'Upload-Concat': header })).toMatchObject({ status: 400 })
    },
  )

  it('comes without a length and without bytes', async () => {
    const id = await partial(bytes)
    const list = { 'Upload-Concat': `final;/files/${id}` }
    const type = { 'Content-Type': 'application/offset+octet-stream' }
    for (const [headers, body] of [
      [{ 'Upload-Length': '1000' }, ''],
      [{ 'Upload-Defer-Length': '1' }, ''],
      [{ ...type, 'Content-Length': '3' }, 'abc'],
      [{ ...type, 'Transfer-Encoding': 'chunked' }, 'abc'],
    ] as const) {
      expect(await post({ ...list, ...headers }, body)).toMatchObject({ status: 400 })
    }
    await expectJoined(await post(list), bytes)
  })

  it('may have three hundred, and is refused before it is read when it is longer than headers may be', async () => {
    const pieces = Array.from({ length: 300 }, (_, each) => bytes.subarray(each, each + 3))
    const ids = await Promise.all(pieces.map((piece) => partial(piece)))
    const urls = ids.map((id) => `/files/${id}`)
    await expectJoined(await final(...urls), Buffer.concat(pieces))
    expect(await final(...urls, ...urls)).toMatchObject({ status: 431 })
  })

  it('is told again as it was sent, and when it is made also how long it is', async () => {
    const [one, open] = [await partial(bytes), await partial()]
    const list = `final;/files/${one}?x=1 ${url}/files/${open}`
    const { status, location } = await post({ 'Upload-Concat': list })
    expect(status).toBe(201)
    const id = idOf(new URL(location ?? '', url).href)
    const waiting = await headUpload(url, id)
    expect(waiting.headers.get('Upload-Concat')).toBe(list)
    expect(waiting.headers.has('Upload-Offset')).toBe(false)
    expect(waiting.headers.get('Upload-Length')).toBe('1010')
    expect((await patchUpload(url, id, 0, bytes)).status).toBe(403)
    expect((await headUpload(url, one)).headers.get('Upload-Concat')).toBe('partial')
    // A part that is taken is still written to as any other.
    expect((await patchUpload(url, open, 3, bytes.subarray(0, 7))).status).toBe(409)
    expect((await patchUpload(url, open, 0, bytes.subarray(0, 11))).status).toBe(413)
    expect((await patchUpload(url, open, 0, bytes.subarray(0, 10))).status).toBe(204)
    await expectJoined(
      await post({ 'Upload-Concat': list }),
      Buffer.concat([bytes, bytes.subarray(0, 10)]),
    )
    const made = await headUpload(url, id)
    expect(made.headers.get('Upload-Concat')).toBe(list)
    expect(made.headers.get('Upload-Offset')).toBe('1010')
    expect((await patchUpload(url, id, 1_010, Buffer.alloc(0))).status).toBe(403)
    for (const [part, size] of [
      [one, '1000'],
      [open, '10'],
    ] as const) {
      const answer = await headUpload(url, part)
      expect(answer.headers.get('Upload-Offset')).toBe(size)
      expect(answer.headers.get('Upload-Length')).toBe(size)
    }
  })

  it('gets what it names for one of those that name the same at once', async () => {
    const [one, two, three] = [await partial(bytes), await partial(bytes), await partial(bytes)]
    const [a, b, c] = [one, two, three].map((id) => `/files/${id}`) as [string, string, string]
    const answers = await Promise.all([final(a, b), final(b, c), final(c, a), final(a, b)])
    const made = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status === 400)
    expect(made.length + refused.length).toBe(4)
    expect(new Set(made.map(({ location }) => location)).size).toBe(1)
    for (const answer of made) await expectJoined(answer, Buffer.concat([bytes, bytes]))
  })

  it('gets nothing of what is removed in between, and nothing of it stays', async () => {
    const before = await disk.listKeys()
    const [one, two] = [await partial(bytes), await partial(bytes)]
    const [made, removed] = await Promise.all([
      final(`/files/${one}`, `/files/${two}`),
      deleteUpload(url, two),
    ])
    expect([201, 400]).toContain(made.status)
    expect([204, 423]).toContain(removed.status)
    if (made.status === 201) {
      const id = idOf(new URL(made.location ?? '', url).href)
      expect((await deleteUpload(url, id)).status).toBe(204)
    }
    for (const id of [one, two]) await deleteUpload(url, id)
    await witness.runDiscards()
    expect((await disk.listKeys()).filter((key) => !before.includes(key))).toEqual([])
  })
})

interface Posted {
  readonly status: number
  readonly location: string | undefined
  readonly said: string
}
