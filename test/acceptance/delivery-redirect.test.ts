import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { makePhoto } from '../support/photo.ts'
import { type Program, startProgram } from '../support/program.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { uploadBuffer } from '../support/upload.ts'

describe('DELIVERY=redirect', () => {
  let s3: TestS3
  let program: Program
  let photo: Buffer
  let id: string

  beforeAll(async () => {
    s3 = await startS3()
    const env = { ...s3.env, S3_PREFIX: 'photos', DELIVERY: 'redirect', LOG_LEVEL: 'trace' }
    program = await startProgram({ env })
    photo = await makePhoto({ width: 900, height: 600 })
    const upload = await uploadBuffer(program.url, photo, { filename: 'sea & sun.jpg' })
    id = upload.id
    expect(await new Api(program).converted(id)).toMatchObject({ state: 'ready' })
  }, 120_000)
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await s3?.close()
  })

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, program.url), { redirect: 'manual', ...init })

  it('sends a client to the bucket, where the bytes are', async () => {
    const original = await fetch(`${program.url}/v1/uploads/${id}/content`)
    expect(original.redirected).toBe(true)
    expect(new URL(original.url).origin).toBe(new URL(s3.endpoint).origin)
    const bytes = Buffer.from(await original.arrayBuffer())
    expect(sha256Of(bytes)).toBe(sha256Of(photo))

    const { renditions } = await new Api(program).image(id)
    expect(renditions.length).toBeGreaterThan(0)
    for (const { url, size } of renditions) {
      const rendition = await fetch(new URL(url, program.url), {
        headers: { Range: 'bytes=0-99' },
      })
      expect(rendition.redirected).toBe(true)
      expect(rendition.status).toBe(206)
      expect(rendition.headers.get('Content-Range')).toBe(`bytes 0-99/${size}`)
      expect(await rendition.arrayBuffer()).toHaveProperty('byteLength', 100)
    }
  })

  it('gives a link for a while, with the headers that bytes have here', async () => {
    const response = await ask(`/v1/images/${id}/thumb`)
    expect(response.status).toBe(307)
    const { searchParams } = new URL(response.headers.get('Location') ?? '')
    expect(Object.fromEntries(searchParams)).toMatchObject({
      'response-content-type': 'image/webp',
      'response-content-disposition': 'inline',
      'X-Amz-Expires': '300',
    })
    expect(response.headers.get('Cache-Control')).toBe('private, max-age=240')
  })

  it('answers here what needs no bytes', async () => {
    const url = `/v1/images/${id}/thumb`
    const head = await ask(url, { method: 'HEAD' })
    expect(head.status).toBe(200)
    const etag = head.headers.get('ETag') ?? ''
    expect((await ask(url, { headers: { 'If-None-Match': etag } })).status).toBe(304)
    expect((await ask(`/v1/images/${id}/nosuch`)).status).toBe(404)
  })

  it('writes no link into the log, however much is logged', async () => {
    const response = await ask(`/v1/images/${id}/thumb`)
    const location = new URL(response.headers.get('Location') ?? '')
    const signature = location.searchParams.get('X-Amz-Signature') ?? ''
    expect(signature).toMatch(/^[0-9a-f]{64}$/)
    await expect.poll(() => program.stdout).toContain(`GET /v1/images/${id}/thumb 307`)
    expect(program.stdout).not.toContain('X-Amz-')
    expect(program.stdout).not.toContain(signature)
  })
})
