import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { Call, exchange, type WireRequest } from '../../../scripts/conformance/engine/wire.ts'
import { type TinyServer, tinyServer } from './tiny-server.ts'

const bytes = Buffer.from('0123456789')
/** Milliseconds, for what is sure to come: a busy machine may need some. */
const patience = 10_000
const patch = (url: URL, more: Partial<WireRequest> = {}): WireRequest => ({
  method: 'PATCH',
  url,
  headers: {},
  body: bytes,
  ...more,
})

/** A server that keeps what it was sent. */
async function recording(): Promise<TinyServer & { readonly requests: Promise<Seen>[] }> {
  const requests: Promise<Seen>[] = []
  const tiny = await tinyServer((request, response) => {
    requests.push(see(request))
    request.on('end', () => response.writeHead(204).end())
  })
  return Object.assign(tiny, { requests })
}

interface Seen {
  readonly headers: IncomingMessage['headers']
  readonly trailers: IncomingMessage['trailers']
  readonly body: string
}

async function see(request: IncomingMessage): Promise<Seen> {
  const body = String(await buffer(request).catch(() => 'cut'))
  return { headers: request.headers, trailers: request.trailers, body }
}

it('a body goes with its length', async () => {
  await using tiny = await recording()
  const outcome = await exchange(patch(tiny.url), patience)
  expect(outcome).toMatchObject({ kind: 'answer', answer: { status: 204 } })
  const seen = await tiny.requests[0]
  expect(seen).toMatchObject({ body: '0123456789', headers: { 'content-length': '10' } })
})

it('a body in chunks goes without its length', async () => {
  await using tiny = await recording()
  await exchange(patch(tiny.url, { chunked: true }), patience)
  const seen = await tiny.requests[0]
  expect(seen).toMatchObject({ body: '0123456789', headers: { 'transfer-encoding': 'chunked' } })
  expect(seen?.headers).not.toHaveProperty('content-length')
})

it('trailers are announced and come after the body', async () => {
  await using tiny = await recording()
  await exchange(patch(tiny.url, { trailers: { 'Upload-Checksum': 'sha1 x' } }), patience)
  expect(await tiny.requests[0]).toMatchObject({
    body: '0123456789',
    headers: { trailer: 'Upload-Checksum' },
    trailers: { 'upload-checksum': 'sha1 x' },
  })
})

it('a request without a body has no length, unless its method wants one', async () => {
  await using tiny = await recording()
  await exchange({ method: 'HEAD', url: tiny.url, headers: {} }, patience)
  await exchange({ method: 'POST', url: tiny.url, headers: {} }, patience)
  expect((await tiny.requests[0])?.headers).not.toHaveProperty('content-length')
  expect((await tiny.requests[1])?.headers).toHaveProperty('content-length', '0')
})

it('interim answers are kept in their order, with their headers', async () => {
  await using tiny = await tinyServer((_, response) => {
    response.writeContinue()
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(201, { Location: '/a' }).end('body')
  })
  const outcome = await exchange(patch(tiny.url), patience)
  expect(outcome.interim.map(({ status }) => status)).toEqual([100, 103])
  expect(outcome.interim[1]?.headers).toEqual({ link: '</style.css>; rel=preload' })
  expect(outcome).toMatchObject({
    answer: { status: 201, headers: { location: '/a' }, body: Buffer.from('body') },
  })
})

it('a body that is to wait for 100 waits for it', async () => {
  let sentBefore: string | undefined
  await using other = await recording()
  await using tiny = await tinyServer(() => undefined)
  tiny.server.on('checkContinue', async (request: IncomingMessage, response) => {
    // By the time another request is answered a body that did not wait would be here.
    await exchange(patch(other.url), patience)
    sentBefore = String(request.read() ?? 'nothing')
    response.writeContinue()
    request.resume().on('end', () => response.writeHead(204).end())
  })
  const outcome = await exchange(patch(tiny.url, { headers: { Expect: '100-continue' } }), patience)
  expect(outcome).toMatchObject({ kind: 'answer', answer: { status: 204 } })
  expect(sentBefore).toBe('nothing')
})

it('a refusal instead of 100 is the answer', async () => {
  await using tiny = await tinyServer(() => undefined)
  tiny.server.on('checkContinue', (_, response) => response.writeHead(413).end())
  const outcome = await exchange(patch(tiny.url, { headers: { Expect: '100-continue' } }), patience)
  expect(outcome).toMatchObject({ kind: 'answer', answer: { status: 413 } })
})

it('a request can stop in the middle, and go on', async () => {
  await using tiny = await recording()
  const call = new Call(patch(tiny.url), patience)
  await call.send(4)
  expect(await call.finish()).toMatchObject({ kind: 'answer', answer: { status: 204 } })
  expect((await tiny.requests[0])?.body).toBe('0123456789')
})

it('a request can be cut in the middle', async () => {
  await using tiny = await recording()
  const call = new Call(patch(tiny.url), patience)
  await call.send(4)
  await expect.poll(() => tiny.requests.length).toBe(1)
  await call.cut()
  expect(await call.outcome).toEqual({ kind: 'closed', interim: [] })
  expect((await tiny.requests[0])?.body).toBe('cut')
})

it('a connection that ends without an answer is seen as such', async () => {
  await using tiny = await tinyServer((request) => request.socket.destroy())
  expect(await exchange(patch(tiny.url), patience)).toMatchObject({ kind: 'closed' })
})

it('a server that never answers is given up', async () => {
  await using tiny = await tinyServer(() => undefined)
  expect(await exchange(patch(tiny.url), 50)).toMatchObject({ kind: 'silent' })
})

it('a server that never reads is given up', async () => {
  const server = createServer((socket) => socket.pause().on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const body = Buffer.alloc(32 * 1024 * 1024)
  const outcome = await exchange(patch(new URL(`http://127.0.0.1:${port}/`), { body }), 200)
  expect(outcome).toMatchObject({ kind: 'silent' })
  server.close()
})

it('nobody listening is a connection that ended', async () => {
  const tiny = await tinyServer(() => undefined)
  await tiny[Symbol.asyncDispose]()
  expect(await exchange(patch(tiny.url), patience)).toMatchObject({ kind: 'closed' })
})
