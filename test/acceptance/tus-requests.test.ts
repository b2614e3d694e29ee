import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { type Program, startProgram } from '../support/program.ts'
import { idOf } from '../support/upload.ts'

const tus = { 'Tus-Resumable': '1.0.0' }
const bytes = { ...tus, 'Content-Type': 'application/offset+octet-stream' }

let program: Program
beforeAll(async () => {
  program = await startProgram()
})
afterAll(async () => {
  await program[Symbol.asyncDispose]()
})

const send = (method: string, path: string, headers: Record<string, string>, body?: Buffer) =>
  fetch(new URL(path, program.url), {
    method,
    headers,
    ...(body && { body: new Uint8Array(body) }),
  })

async function create(length: string): Promise<string> {
  const response = await send('POST', '/files', { ...tus, 'Upload-Length': length })
  expect(response.status).toBe(201)
  return response.headers.get('Location') ?? ''
}

it('a proxy that lets only POST through does not stop an upload', async () => {
  const location = await create('10')
  const headers = { ...bytes, 'X-HTTP-Method-Override': 'PATCH', 'Upload-Offset': '0' }
  const response = await send('POST', location, headers, randomBytes(10))
  expect(response.status).toBe(204)
  expect(response.headers.get('Upload-Offset')).toBe('10')
})

it('a page of another origin may send all that tus clients send', async () => {
  const preflight = await send('OPTIONS', '/files', {
    Origin: 'https://app.example',
    'Access-Control-Request-Method': 'PATCH',
    'Access-Control-Request-Headers': 'tus-resumable,upload-offset,x-request-id',
  })
  expect(preflight.status).toBe(204)
  const allowed = preflight.headers.get('Access-Control-Allow-Headers')?.toLowerCase()
  for (const name of ['tus-resumable', 'upload-offset', 'upload-metadata', 'x-request-id']) {
    expect(allowed).toContain(name)
  }
})

it('an upload can be asked about under its URL with a query', async () => {
  const location = await create('10')
  const response = await send('HEAD', `${location}?from=somewhere`, tus)
  expect(response.status).toBe(200)
  expect(response.headers.get('Upload-Offset')).toBe('0')
})

it('an offset that is not where the upload stands changes nothing', async () => {
  const location = await create('10')
  const response = await send('PATCH', location, { ...bytes, 'Upload-Offset': '5' }, randomBytes(5))
  expect(response.status).toBe(409)
  const id = idOf(new URL(location, program.url).href)
  expect(await new Api(program).upload(id)).toMatchObject({ offset: 0, state: 'receiving' })
})

it('a length that is deferred is taken when it is told', async () => {
  const begun = await send(
    'POST',
    '/files',
    { ...bytes, 'Upload-Defer-Length': '1' },
    randomBytes(6),
  )
  expect(begun.status).toBe(201)
  const location = begun.headers.get('Location') ?? ''
  const head = await send('HEAD', location, tus)
  expect(head.headers.get('Upload-Defer-Length')).toBe('1')
  const last = { ...bytes, 'Upload-Offset': '6', 'Upload-Length': '10' }
  expect((await send('PATCH', location, last, randomBytes(4))).status).toBe(204)
  const id = idOf(new URL(location, program.url).href)
  expect(await new Api(program).upload(id)).toMatchObject({ state: 'stored', length: 10 })
})

it.each(['1e+21', '-1', '+1', '1.0', '0x10', ''])(
  'a length of "%s" is no length',
  async (length) => {
    const response = await send('POST', '/files', { ...tus, 'Upload-Length': length })
    expect(response.status).toBe(400)
  },
)

it('more than the length that was announced is refused', async () => {
  const location = await create('4')
  const headers = { ...bytes, 'Upload-Offset': '0' }
  expect((await send('PATCH', location, headers, randomBytes(10))).status).toBe(413)
})

async function createDeferred(): Promise<string> {
  const response = await send('POST', '/files', { ...tus, 'Upload-Defer-Length': '1' })
  return response.headers.get('Location') ?? ''
}

const sendLast = (location: string, offset: number, length: number, body: string) => {
  const headers = { 'Upload-Offset': String(offset), 'Upload-Length': String(length) }
  return send('PATCH', location, { ...bytes, ...headers }, Buffer.from(body))
}

it('a client that did not hear whether its length arrived may say it again', async () => {
  const location = await createDeferred()
  expect((await sendLast(location, 0, 10, '01234')).status).toBe(204)
  expect((await sendLast(location, 5, 11, '56789')).status).toBe(400)
  expect((await sendLast(location, 5, 10, '56789')).status).toBe(204)
  const head = await send('HEAD', location, tus)
  expect(head.headers.get('Upload-Offset')).toBe('10')
})

it('a request that is refused does not settle the length of an upload', async () => {
  const location = await createDeferred()
  expect((await sendLast(location, 0, 10, '0123456789 and more')).status).toBe(413)
  expect((await sendLast(location, 0, 12, '0123456789ab')).status).toBe(204)
})

describe('a request about an upload that is complete', () => {
  const last = (headers: Record<string, string>) => ({ ...bytes, 'Upload-Offset': '4', ...headers })
  const chunked = () =>
    new ReadableStream({
      start(controller) {
        controller.enqueue(randomBytes(3))
        controller.close()
      },
    })

  it('is no error when it brings nothing, and is one when it brings something', async () => {
    const location = await create('4')
    const first = await send('PATCH', location, { ...bytes, 'Upload-Offset': '0' }, randomBytes(4))
    expect(first.status).toBe(204)
    expect((await send('PATCH', location, last({}))).status).toBe(204)
    expect((await send('PATCH', location, last({}), randomBytes(1))).status).toBe(413)
    const unannounced = await fetch(new URL(location, program.url), {
      method: 'PATCH',
      headers: last({}),
      body: chunked(),
      duplex: 'half',
    })
    expect(unannounced.status).toBe(413)
    const wrong = last({ 'Upload-Checksum': 'crc32 AAAAAQ==' })
    expect((await send('PATCH', location, wrong)).status).toBe(460)
  })
})

it('a length that came with bytes which do not count was not said', async () => {
  const location = await createDeferred()
  const wrong = { 'Upload-Checksum': 'crc32 AAAAAQ==', 'Upload-Length': '10' }
  const headers = { ...bytes, 'Upload-Offset': '0', ...wrong }
  expect((await send('PATCH', location, headers, randomBytes(5))).status).toBe(460)
  const head = await send('HEAD', location, tus)
  expect(head.headers.get('Upload-Defer-Length')).toBe('1')
  expect((await sendLast(location, 0, 12, '0123456789ab')).status).toBe(204)
})
