import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { RequestBody } from '../../../src/uploads/body.ts'
import { never } from '../../support/leases.ts'
import { RawClient } from '../../support/raw-client.ts'
import { serveUploads } from '../../support/upload-server.ts'
import { waitFor } from '../../support/wait.ts'

const MiB = 2 ** 20
/** What a client may get rid of: what is swallowed, and what the network between the two holds. */
const mostSwallowed = 16 * MiB + 24 * MiB

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<Response>

describe('an answer', () => {
  const stack: AsyncDisposable[] = []
  afterEach(async () => {
    for (const resource of stack.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
  })

  /** A client of a server that answers every upload request in this way. */
  async function connect(handler: Handler) {
    const sockets: IncomingMessage['socket'][] = []
    const server = await serveUploads((request, response) => {
      sockets.push(request.socket)
      return handler(request, response)
    })
    stack.push(server)
    const client = new RawClient(server.port)
    stack.push(client)
    return { client, server, sockets }
  }
  const refuse = async () =>
    new Response('too much\n', { status: 413, headers: { 'X-Why': 'size' } })
  const readAll: Handler = async (request) => {
    let size = 0
    const options = { until: never, limit: Number.POSITIVE_INFINITY }
    for await (const chunk of new RequestBody(request, options)) size += chunk.length
    return new Response(`${size}`)
  }

  describe('to a client that is still sending', () => {
    const size = 200 * MiB

    it('is read by it, swallows a bounded part, and the connection ends', async () => {
      const { client } = await connect(refuse)
      client.send('PATCH', '/files/x', { 'Content-Length': size })
      const pouring = client.pour(size)
      const answer = await client.answer()
      expect(answer).toMatchObject({ status: 413, body: 'too much\n' })
      expect(answer.headers.get('Connection')).toBe('close')
      expect(answer.headers.get('X-Why')).toBe('size')
      await client.ended()
      expect(await pouring).toBeLessThan(mostSwallowed)
    })

    it('can still be read by one that reads only once it can write no more', async () => {
      const { client, sockets } = await connect(refuse)
      client.socket.pause()
      client.send('POST', '/files', { 'Transfer-Encoding': 'chunked' })
      const piece = Buffer.concat([
        Buffer.from('40000\r\n'),
        Buffer.alloc(0x40000),
        Buffer.from('\r\n'),
      ])
      const pouring = client.pour(size, piece)
      let before = -1
      await waitFor(
        () => {
          const now = sockets[0]?.bytesRead ?? 0
          const stands = now > 15 * MiB && now === before
          before = now
          return stands
        },
        { intervalMs: 100, what: 'the server to read no more' },
      )
      expect(client.socket.writableNeedDrain).toBe(true)
      client.socket.resume()
      expect(await client.answer()).toMatchObject({ status: 413, body: 'too much\n' })
      client.socket.destroy()
      expect(await pouring).toBeLessThan(mostSwallowed)
    })

    it('ends the connection as soon as the client has left', async () => {
      const { client, sockets } = await connect(refuse)
      client.send('PATCH', '/files/x', { 'Content-Length': size })
      void client.pour(MiB)
      await client.answer()
      client.socket.destroy()
      await waitFor(() => sockets[0]?.destroyed, { timeoutMs: 4_000 })
    })

    it('has no body for HEAD and 204, and is whole all the same', async () => {
      for (const [method, status] of [
        ['HEAD', 423],
        ['DELETE', 204],
      ] as const) {
        const { client } = await connect(async () => new Response(null, { status }))
        client.send(method, '/files/x', { 'Content-Length': size })
        void client.pour(MiB)
        const answer = await client.answer(method)
        expect(answer).toMatchObject({ status, body: '' })
        expect(answer.headers.get('Connection')).toBe('close')
        expect(client.received).toBe('')
        client.socket.destroy()
      }
    })

    it('is read also when some of the body was taken before, and the rest is thrown away', async () => {
      const { client } = await connect(async (request) => {
        const body = new RequestBody(request, { until: never, limit: 3 * MiB })
        try {
          for await (const _ of body);
        } catch {
          return refuse()
        }
        return new Response(null, { status: 204 })
      })
      client.send('PATCH', '/files/x', { 'Content-Length': 12 * MiB })
      expect(await client.pour(12 * MiB)).toBeGreaterThanOrEqual(12 * MiB)
      expect(await client.answer()).toMatchObject({ status: 413, body: 'too much\n' })
      await client.ended(4_000)
    })

    it('lets the client that sends all of it soon enough see the end of the connection', async () => {
      const { client } = await connect(refuse)
      client.send('PATCH', '/files/x', { 'Content-Length': MiB })
      expect(await client.pour(MiB)).toBeGreaterThanOrEqual(MiB)
      expect(await client.answer()).toMatchObject({ status: 413 })
      await client.ended(4_000)
    })
  })

  describe('keeps the connection for the next request', () => {
    const next = async (client: RawClient) => {
      client.send('PATCH', '/files/next', { 'Content-Length': 3 })
      client.socket.write('abc')
      return client.answer()
    }
    const firstRefused =
      (first: Handler): Handler =>
      async (request, response) =>
        request.url === '/files/next' ? readAll(request, response) : first(request, response)

    it('when all of the body was read', async () => {
      const { client, sockets } = await connect(readAll)
      client.send('PATCH', '/files/x', { 'Content-Length': 200_000 })
      await client.pour(200_000, Buffer.alloc(200_000))
      expect(await client.answer()).toMatchObject({ status: 200, body: '200000' })
      expect(await next(client)).toMatchObject({ body: '3' })
      expect(new Set(sockets).size).toBe(1)
    })

    it('when a small rest of a body nobody read is still to come', async () => {
      const { client, sockets } = await connect(firstRefused(refuse))
      client.send('PATCH', '/files/x', { 'Content-Length': 60_000 })
      const answer = await client.answer()
      expect(answer.status).toBe(413)
      expect(answer.headers.get('Connection')).not.toBe('close')
      await client.pour(60_000, Buffer.alloc(60_000))
      expect(await next(client)).toMatchObject({ status: 200, body: '3' })
      expect(new Set(sockets).size).toBe(1)
    })

    it('when a small rest of a body that was given up is still to come', async () => {
      const { client } = await connect(
        firstRefused(async (request) => {
          const until = new AbortController()
          const body = new RequestBody(request, { until: until.signal, limit: 60_000 })
          for await (const _ of body) until.abort()
          return refuse()
        }),
      )
      client.send('PATCH', '/files/x', { 'Content-Length': 60_000 })
      client.socket.write(Buffer.alloc(20_000))
      expect((await client.answer()).status).toBe(413)
      client.socket.write(Buffer.alloc(40_000))
      expect(await next(client)).toMatchObject({ status: 200, body: '3' })
    })

    it('when there was no body, whatever the method', async () => {
      for (const [method, status] of [
        ['HEAD', 200],
        ['DELETE', 204],
        ['POST', 201],
        ['OPTIONS', 204],
      ] as const) {
        const { client } = await connect(firstRefused(async () => new Response(null, { status })))
        client.send(method, '/files/x')
        const answer = await client.answer(method)
        expect(answer).toMatchObject({ status, body: '' })
        expect(answer.headers.get('Connection')).not.toBe('close')
        const none = method === 'POST' ? '0' : null
        expect(answer.headers.get('Content-Length')).toBe(none)
        expect(await next(client)).toMatchObject({ body: '3' })
      }
    })
  })

  describe('to a client that waits to be asked for its body', () => {
    const expecting = { Expect: '100-continue', 'Content-Length': 200 * MiB }

    it.each([5, 200 * MiB])(
      'is a refusal without being asked for %d bytes, and the connection is not used again',
      async (length) => {
        const { client } = await connect(refuse)
        client.send('PATCH', '/files/x', { ...expecting, 'Content-Length': length })
        const answer = await client.answer()
        expect(answer).toMatchObject({ status: 413, body: 'too much\n' })
        expect(answer.headers.get('Connection')).toBe('close')
        expect(client.received).toBe('')
        client.socket.destroy()
      },
    )

    it('is a refusal without a body too, for HEAD', async () => {
      const { client } = await connect(async () => new Response(null, { status: 423 }))
      client.send('HEAD', '/files/x', { ...expecting, 'Content-Length': 5 })
      expect(await client.answer('HEAD')).toMatchObject({ status: 423, body: '' })
      expect(client.received).toBe('')
      client.socket.destroy()
    })

    it('asks for the body once it is wanted, and keeps the connection', async () => {
      const wanted = Promise.withResolvers<void>()
      const { client, sockets } = await connect(async (request, response) => {
        await wanted.promise
        return readAll(request, response)
      })
      client.send('PATCH', '/files/x', { ...expecting, 'Content-Length': 5 })
      await waitFor(() => sockets.length === 1)
      expect(client.received).toBe('')
      wanted.resolve()
      expect(await client.answer()).toMatchObject({ status: 100 })
      client.socket.write('12345')
      const answer = await client.answer()
      expect(answer).toMatchObject({ status: 200, body: '5' })
      expect(answer.headers.get('Connection')).not.toBe('close')
      client.send('HEAD', '/files/x')
      expect(await client.answer('HEAD')).toMatchObject({ status: 200 })
    })
  })

  it('does not reach a client that is gone, and nothing is hurt by it', async () => {
    const answered = Promise.withResolvers<void>()
    const { client, server, sockets } = await connect(async (_, response) => {
      await new Promise((resolve) => response.once('close', resolve))
      queueMicrotask(answered.resolve)
      return refuse()
    })
    client.send('PATCH', '/files/x', { 'Content-Length': 10 })
    await waitFor(() => sockets.length === 1)
    client.socket.destroy()
    await answered.promise
    const api = await fetch(`${server.url}/anything`)
    expect(await api.text()).toBe('the API')
  })

  it('that fails unexpectedly is 500, without a word of why', async () => {
    const { client } = await connect(() => Promise.reject(new Error('secret')))
    client.send('DELETE', '/files/x')
    expect(await client.answer()).toMatchObject({ status: 500, body: '' })
    await client.ended()
  })

  it('does not keep the program from stopping', async () => {
    const { client, server } = await connect(refuse)
    client.send('PATCH', '/files/x', { 'Content-Length': 200 * MiB })
    await client.answer()
    const closed = server[Symbol.asyncDispose]()
    await client.ended(4_000)
    await closed
    stack.splice(0)
  })
})
