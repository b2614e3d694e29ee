import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { type Deployment, deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import type { Program } from '../support/program.ts'
import { beginUpload } from '../support/tus-requests.ts'
import { uploadBuffer } from '../support/upload.ts'

const immutable = 'private, max-age=31536000, immutable'
const runnable = [
  ['drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
  ['page.png', '<!doctype html><script>alert(1)</script>'],
  ['document.pdf', '%PDF-1.7\n'],
  ['feed.xml', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>'],
  ['script.jpg', 'alert(1)'],
] as const

describe.each(deploymentKinds)('what is delivered on $name', ({ create }) => {
  let deployment: Deployment
  let program: Program
  let photo: Buffer
  let id: string

  beforeAll(async () => {
    photo = await makePhoto({ width: 900, height: 600 })
    deployment = await create()
    program = await deployment.start()
    const upload = await uploadBuffer(program.url, photo, {
      filename: 'Bärlauch & Salz.jpg',
      contentType: 'text/html',
    })
    id = upload.id
    expect(await new Api(program).converted(id)).toMatchObject({ state: 'ready' })
  }, 120_000)
  afterAll(() => deployment?.[Symbol.asyncDispose]())

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, program.url), { redirect: 'manual', ...init })
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

  it('is whole, in part, or not sent again, under the same headers', async () => {
    const url = `/v1/images/${id}/thumb`
    const whole = await ask(url)
    const bytes = await bytesOf(whole)
    expect(whole.status).toBe(200)
    expect((await sharp(bytes).metadata()).format).toBe('webp')
    const headers = {
      'content-type': 'image/webp',
      'content-length': `${bytes.length}`,
      'cache-control': immutable,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
    }
    expect(Object.fromEntries(whole.headers)).toMatchObject(headers)

    const etag = whole.headers.get('ETag') ?? ''
    expect(etag).toMatch(/^"[^"]+"$/)
    const head = await ask(url, { method: 'HEAD', headers: { Range: 'bytes=0-9' } })
    expect(head.status).toBe(200)
    expect(Object.fromEntries(head.headers)).toMatchObject({ ...headers, etag })

    const part = await ask(url, { headers: { Range: 'bytes=-10', 'If-Range': etag } })
    expect(part.status).toBe(206)
    expect(await bytesOf(part)).toEqual(bytes.subarray(-10))
    const known = await ask(url, { headers: { 'If-None-Match': etag } })
    expect(known.status).toBe(304)
    expect(known.headers.get('ETag')).toBe(etag)
    expect(known.headers.get('Cache-Control')).toBe(immutable)
    const other = await ask(url, { headers: { 'If-Match': '"other"' } })
    expect(other.status).toBe(412)
    await other.body?.cancel()
  })

  it('is the original as its bytes are, whatever the client said of them', async () => {
    const original = await ask(`/v1/uploads/${id}/content`)
    expect(original.headers.get('Content-Type')).toBe('image/jpeg')
    expect(original.headers.get('Content-Disposition')).toMatch(/^inline; .*B%C3%A4rlauch/)
    expect((await bytesOf(original)).equals(photo)).toBe(true)
  })

  it.each(runnable)('is never run by a browser: %s', async (filename, text) => {
    const upload = await uploadBuffer(program.url, Buffer.from(text), {
      filename,
      contentType: 'image/png',
    })
    const image = await new Api(program).converted(upload.id)
    // Once settled, its type is what was found, or nothing.
    expect(image.contentType).not.toBe('image/png')
    for (const method of ['GET', 'HEAD']) {
      const response = await ask(`/v1/uploads/${upload.id}/content`, { method })
      expect(response.headers.get('Content-Disposition')).toMatch(/^attachment; /)
      expect(response.headers.get('Content-Type')).not.toMatch(/^image\/png|^text\/html/)
      expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
      expect(response.headers.get('Content-Security-Policy')).toMatch(/^sandbox;/)
      await response.body?.cancel()
    }
  })

  it('is not there yet while the upload is under way', async () => {
    const begun = await beginUpload(program.url, 1_000)
    const response = await ask(`/v1/images/${begun}/thumb`)
    expect(response.status).toBe(202)
    expect(response.headers.get('Retry-After')).toBe('1')
    expect(await response.json()).toEqual({ id: begun, state: 'receiving' })
  })
})
