import { once } from 'node:events'
import { createServer, type IncomingMessage, request as openRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { RequestBody } from '../../../src/uploads/body.ts'
import { drain } from '../../support/bodies.ts'
import { never } from '../../support/leases.ts'
import { contentOf } from '../../support/storage.ts'
import { waitFor } from '../../support/wait.ts'

const unlimited = { until: never, limit: Number.POSITIVE_INFINITY }

describe('the body of a request on a socket', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })

  /** A client's request, and the server's side of it. */
  async function exchange(headers: Record<string, string | number> = {}) {
    const server = createServer()
    const arrived = once(server, 'request')
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const client = openRequest({ port, method: 'PATCH', headers })
    client.on('error', () => {})
    client.flushHeaders()
    const [incoming, outgoing] = await arrived
    cleanups.push(
      () => server.close(),
      () => server.closeAllConnections(),
    )
    return { client, incoming: incoming as IncomingMessage, outgoing }
  }

  it('keeps what came before the connection broke, then throws', async () => {
    const { client, incoming } = await exchange({ 'Content-Length': 1_000_000 })
    const content = contentOf(300_000)
    const reading = drain(new RequestBody(incoming, unlimited))
    client.write(content)
    await waitFor(() => incoming.socket.bytesRead >= content.length)
    client.destroy()
    const { read, error } = await reading
    expect(error).toBeInstanceOf(Error)
    expect(read.equals(content)).toBe(true)
  })

  it('keeps what came while nobody read, when the connection breaks then', async () => {
    const { client, incoming } = await exchange({ 'Content-Length': 1_000_000 })
    const content = contentOf(50_000)
    const start = incoming.socket.bytesRead
    const iterator = new RequestBody(incoming, unlimited)[Symbol.asyncIterator]()
    for (let sent = 10_000; sent <= content.length; sent += 10_000) {
      client.write(content.subarray(sent - 10_000, sent))
      await waitFor(() => incoming.socket.bytesRead >= start + sent, { intervalMs: 1 })
    }
    client.destroy()
    await waitFor(() => incoming.closed)
    const { read, error } = await drain({ [Symbol.asyncIterator]: () => iterator })
    expect(error).toBeInstanceOf(Error)
    expect(read.equals(content)).toBe(true)
  })

  it('leaves the client waiting while nobody reads, whatever it has to send', async () => {
    const { client, incoming } = await exchange()
    const total = 128 * 2 ** 20
    const iterator = new RequestBody(incoming, unlimited)[Symbol.asyncIterator]()
    const sending = (async () => {
      for (let sent = 0; sent < total; sent += 2 ** 20) {
        if (!client.write(Buffer.alloc(2 ** 20))) await once(client, 'drain')
      }
      client.end()
    })()
    await iterator.next()
    let seen = -1
    // Until the network between the two is full.
    await waitFor(
      () => {
        const stands = seen === incoming.socket.bytesRead
        seen = incoming.socket.bytesRead
        return stands
      },
      { intervalMs: 200 },
    )
    expect(incoming.socket.bytesRead).toBeLessThan(2 ** 20)
    let read = 0
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      read += next.value.length
    }
    await sending
    expect(read).toBeGreaterThan(total - 2 ** 20)
  })

  it('can be answered after it was given up, and the rest be read by others', async () => {
    const { client, incoming, outgoing } = await exchange({ 'Content-Length': 100 })
    const until = new AbortController()
    const reading = drain(new RequestBody(incoming, { ...unlimited, until: until.signal }))
    client.write(Buffer.alloc(60))
    await waitFor(() => incoming.socket.bytesRead > 60 && incoming.readableLength === 0)
    until.abort()
    await reading
    const response = once(client, 'response')
    outgoing.writeHead(423).end()
    const [{ statusCode }] = await response
    expect(statusCode).toBe(423)
    client.end(Buffer.alloc(40))
    incoming.resume()
    await once(incoming, 'end')
  })
})
