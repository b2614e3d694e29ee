import { describe, expect, it } from 'vitest'
import { Api, type ImageView, sha256Of } from '../support/api.ts'
import { type Deployment, deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import type { Program } from '../support/program.ts'
import { waitFor } from '../support/wait.ts'

interface Link {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: string
  readonly imageUrl: string
}

const photo = makePhoto({ width: 640, height: 480 })

describe.each(deploymentKinds)('upload links on $name', (kind) => {
  const isS3 = kind.name.startsWith('s3')

  const begin = (): Promise<Deployment> => kind.create()
  const post = (program: Program, path: string, body?: unknown) =>
    fetch(`${program.url}${path}`, {
      method: 'POST',
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    })
  async function ask(program: Program, size: number): Promise<Link> {
    const wish = { filename: 'sea.jpg', contentType: 'image/jpeg', size }
    const response = await post(program, '/v1/upload-links', wish)
    expect(response.status).toBe(201)
    return (await response.json()) as Link
  }
  const put = (program: Program, link: Link, body: Buffer) =>
    fetch(new URL(link.url, program.url), {
      method: link.method,
      headers: link.headers,
      body: new Uint8Array(body),
    })
  async function send(program: Program, link: Link, body: Buffer): Promise<void> {
    const response = await put(program, link, body)
    await response.arrayBuffer()
    expect(response.ok).toBe(true)
  }
  const complete = (program: Program, { id }: Pick<Link, 'id'>) =>
    post(program, `/v1/upload-links/${id}/complete`)
  async function codeOf(response: Response): Promise<[number, string]> {
    const { code } = (await response.json()) as { code: string }
    return [response.status, code]
  }
  const keysOf = async (deployment: Deployment, { id }: Link) =>
    (await deployment.storedKeys()).filter((key) => key.includes(id))

  it('take a photo, which is ready a little later, and stays what it is', async () => {
    await using deployment = await begin()
    const program = await deployment.start()
    const bytes = await photo
    const link = await ask(program, bytes.length)
    expect(link).toMatchObject({ method: 'PUT', headers: { 'Content-Type': 'image/jpeg' } })
    expect(Date.parse(link.expiresAt)).toBeGreaterThan(Date.now() + 3_500_000)
    expect(link.imageUrl).toBe(`/v1/images/${link.id}`)
    expect(link.url.startsWith('/v1/')).toBe(!isS3)

    expect(await codeOf(await complete(program, link))).toEqual([409, 'upload-not-arrived'])
    expect((await fetch(`${program.url}${link.imageUrl}`)).status).toBe(404)
    await send(program, link, bytes)
    for (const _ of [1, 2]) {
      const completed = await complete(program, link)
      expect(completed.status).toBe(200)
      expect(await completed.json()).toMatchObject({ id: link.id, filename: 'sea.jpg' })
    }
    const api = new Api(program)
    const image: ImageView = await api.converted(link.id)
    expect(image).toMatchObject({ state: 'ready', width: 640, sha256: sha256Of(bytes) })
    expect(await api.content(link.id)).toEqual(bytes)

    const other = Buffer.from(bytes).fill(7)
    const again = await put(program, link, other)
    if (isS3) expect(again.status).toBe(200)
    else expect(await codeOf(again)).toEqual([409, 'upload-arrived'])
    expect((await complete(program, link)).status).toBe(200)
    expect(await api.content(link.id)).toEqual(bytes)
    expect((await api.uploads()).items[0]).toMatchObject({ id: link.id, state: 'stored' })
  }, 120_000)

  it('refuse what is not of the size that was said, and can be used again', async () => {
    await using deployment = await begin()
    const program = await deployment.start()
    const bytes = await photo
    const link = await ask(program, bytes.length)
    const short = await put(program, link, bytes.subarray(1))
    if (isS3) {
      await short.arrayBuffer()
      const expected = short.ok ? 'size-mismatch' : 'upload-not-arrived'
      expect(await codeOf(await complete(program, link))).toEqual([409, expected])
    } else expect(await codeOf(short)).toEqual([400, 'size-mismatch'])
    expect(await codeOf(await complete(program, link))).toEqual([409, 'upload-not-arrived'])
    await send(program, link, bytes)
    expect((await complete(program, link)).status).toBe(200)
  })

  it('say that no image is one, as other uploads do', async () => {
    await using deployment = await begin()
    const program = await deployment.start()
    const text = Buffer.from('this is no image')
    const link = await ask(program, text.length)
    await send(program, link, text)
    expect((await complete(program, link)).status).toBe(200)
    expect(await new Api(program).converted(link.id)).toMatchObject({ state: 'failed' })
  }, 120_000)

  it('are found when they were used and never confirmed', async () => {
    await using deployment = await begin()
    const program = await deployment.start({ UPLOAD_EXPIRES_IN: '20s' })
    const bytes = await photo
    const link = await ask(program, bytes.length)
    await send(program, link, bytes)
    const api = new Api(program)
    const stored = async () => (await api.upload(link.id)).state === 'stored'
    await waitFor(stored, { what: 'the upload to be found' })
    expect(await api.content(link.id)).toEqual(bytes)
  }, 60_000)

  it('leave nothing when they are never used, or not in time', async () => {
    await using deployment = await begin()
    const program = await deployment.start({ UPLOAD_EXPIRES_IN: '2s' })
    const link = await ask(program, 100)
    const gone = async () => (await complete(program, link)).status === 410
    await waitFor(gone, { what: 'the upload to expire' })
    if (!isS3) expect((await put(program, link, Buffer.alloc(100))).status).toBe(403)
    expect(await keysOf(deployment, link)).toEqual([])
  })

  it('go on after the server was killed, with what had arrived', async () => {
    await using deployment = await begin()
    const first = await deployment.start()
    const bytes = await photo
    const [sent, confirmed] = [await ask(first, bytes.length), await ask(first, bytes.length)]
    await send(first, sent, bytes)
    await send(first, confirmed, bytes)
    const confirming = complete(first, confirmed).catch(() => undefined)
    await first.kill('SIGKILL')
    await confirming
    const second = await deployment.start()
    for (const link of [sent, confirmed]) {
      const isDone = async () => (await complete(second, link)).status === 200
      await waitFor(isDone, { what: 'the upload to be completed' })
      expect(await new Api(second).content(link.id)).toEqual(bytes)
    }
  }, 120_000)

  it('are no uploads by the protocols, but can be removed as those are', async () => {
    await using deployment = await begin()
    const program = await deployment.start()
    const bytes = await photo
    const link = await ask(program, bytes.length)
    const file = `${program.url}/files/${link.id}`
    const tus = { 'Tus-Resumable': '1.0.0' }
    const patch = { 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
    expect((await fetch(file, { method: 'HEAD', headers: tus })).status).toBe(404)
    const appended = await fetch(file, {
      method: 'PATCH',
      headers: { ...tus, ...patch },
      body: 'xyz',
    })
    expect(appended.status).toBe(404)
    await send(program, link, bytes)
    expect((await fetch(file, { method: 'DELETE', headers: tus })).status).toBe(204)
    expect((await complete(program, link)).status).toBe(404)
    const isClear = async () => (await keysOf(deployment, link)).length === 0
    await waitFor(isClear, { what: 'storage to be cleared' })
  })

  it('answer bad requests with what is wrong about them', async () => {
    await using deployment = await begin()
    const program = await deployment.start({ MAX_UPLOAD_SIZE: '10MiB' })
    for (const wish of [
      {},
      { size: 0 },
      { size: 1.5 },
      { size: 5, contentType: 'no' },
      '{',
      '[]',
    ]) {
      const response = await post(program, '/v1/upload-links', wish)
      expect(await codeOf(response)).toEqual([400, 'bad-request'])
    }
    const large = await post(program, '/v1/upload-links', { size: 11 * 2 ** 20 })
    expect(await codeOf(large)).toEqual([413, 'upload-too-large'])
    const unknown = '01a2012f-6f7a-7c18-a33c-612effb92ed2'
    for (const id of [unknown, 'x']) {
      expect(await codeOf(await complete(program, { id }))).toEqual([404, 'upload-not-found'])
    }
    const path = `/v1/upload-links/${unknown}/content`
    const unsigned = await fetch(`${program.url}${path}`, { method: 'PUT', body: 'x' })
    expect(await codeOf(unsigned)).toEqual([403, 'link-required'])
  })

  it('are confirmed by what the storage tells, which is not believed', async () => {
    await using deployment = await begin()
    const program = await deployment.start({ S3_PREFIX: 'some prefix' })
    const tell = (message: unknown) => post(program, '/v1/storage-events', message)
    const bytes = await photo
    const [sent, unsent] = [await ask(program, bytes.length), await ask(program, bytes.length)]
    await send(program, sent, bytes)

    const bucket = { name: deployment.env.S3_BUCKET ?? 'none' }
    const keyOf = ({ id }: Link) => `some prefix/incoming/${id}`
    const encoded = (link: Link) => keyOf(link).replace(' ', '+').replaceAll('/', '%2F')
    const records = (key: string, eventName = 'ObjectCreated:Put', at = bucket) => ({
      Records: [{ eventName, s3: { bucket: at, object: { key, size: 1 } } }],
    })
    const harmless = [
      { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: bucket.name },
      records(encoded(sent), 'ObjectRemoved:Delete'),
      records(encoded(sent), 'ObjectCreated:Put', { name: 'another' }),
      records(`incoming/${sent.id}`),
      records(`some+prefix/uploads/${sent.id}`),
      records('%E0%A4%A'),
      records(encoded(unsent)),
      { Records: [null, 7, {}, { eventName: 'ObjectCreated:Put' }] },
      { Records: 'none' },
      [],
      null,
      'null',
    ]
    for (const message of harmless) expect((await tell(message)).status).toBe(204)
    const state = async ({ id }: Link) => (await new Api(program).upload(id)).state
    expect(await state(sent)).toBe('receiving')
    expect(await codeOf(await tell('{"Records"'))).toEqual([400, 'bad-request'])

    const eventBridge = (link: Link) => ({
      'detail-type': 'Object Created',
      detail: { bucket, object: { key: keyOf(link) } },
    })
    const fromMinio = (link: Link) => ({
      EventName: 's3:ObjectCreated:Put',
      Key: `${bucket.name}/${keyOf(link)}`,
      ...records(encoded(link), 's3:ObjectCreated:Put'),
    })
    for (const wording of [(link: Link) => records(encoded(link)), eventBridge, fromMinio]) {
      const link = await ask(program, bytes.length)
      await send(program, link, bytes)
      for (const _ of [1, 2]) expect((await tell(wording(link))).status).toBe(204)
      expect(await state(link)).toBe(isS3 ? 'stored' : 'receiving')
    }
    expect(await state(unsent)).toBe('receiving')
  }, 60_000)
})
