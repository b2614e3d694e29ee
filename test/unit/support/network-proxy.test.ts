import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type NetworkProxy,
  type NetworkProxyOptions,
  startNetworkProxy,
} from '../../support/network-proxy.ts'
import { waitFor } from '../../support/wait.ts'

/** One end of a connection, and what it has seen. */
class End {
  readonly socket: Socket
  received = Buffer.alloc(0)
  /** `end` (FIN), or the code of an error. */
  over: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data])
    })
    socket.on('end', () => {
      this.over ??= 'end'
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.over ??= error.code
    })
  }

  async hasReceived(text: string): Promise<void> {
    await waitFor(() => this.received.toString() === text, { intervalMs: 1, what: text })
  }
}

describe('a bad network', () => {
  const resources = { close: async () => {} }
  const accepted: End[] = []
  let serverUrl: string

  const server = createServer((socket) => accepted.push(new End(socket)))

  beforeEach(async () => {
    accepted.length = 0
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    await resources.close()
    for (const { socket } of accepted) socket.destroy()
    server.close()
    await once(server, 'close')
  })

  async function network(options: NetworkProxyOptions = {}): Promise<NetworkProxy> {
    const proxy = await startNetworkProxy(serverUrl, options)
    resources.close = () => proxy.close()
    return proxy
  }

  async function open(proxy: NetworkProxy): Promise<{ client: End; atServer: End }> {
    const before = accepted.length
    const client = new End(connect(Number(new URL(proxy.url).port), '127.0.0.1'))
    await once(client.socket, 'connect')
    const atServer = await waitFor(() => accepted[before], { intervalMs: 1 })
    return { client, atServer }
  }

  it('passes bytes and ends both ways when nothing is planned', async () => {
    const { client, atServer } = await open(await network())
    client.socket.write('ping')
    await atServer.hasReceived('ping')
    atServer.socket.write('pong')
    await client.hasReceived('pong')
    client.socket.end()
    await waitFor(() => atServer.over === 'end')
  })

  it('cuts after as many bytes as planned, which arrive', async () => {
    const proxy = await network({ cuts: 1, cutAfter: [3, 3] })
    const { client, atServer } = await open(proxy)
    client.socket.write('abcdef')
    await waitFor(() => client.over !== undefined && atServer.over !== undefined)
    expect(atServer.received.toString()).toBe('abc')
    expect(client.over).toBe('ECONNRESET')
    expect(proxy.cuts).toBe(1)
    const next = await open(proxy)
    next.client.socket.write('abcdef')
    await next.atServer.hasReceived('abcdef')
  })

  it('cuts everything at once when asked to', async () => {
    const proxy = await network()
    const ends = [await open(proxy), await open(proxy)]
    proxy.cutNow()
    await waitFor(() => ends.every(({ client }) => client.over === 'ECONNRESET'))
    await waitFor(() => ends.every(({ atServer }) => atServer.over === 'ECONNRESET'))
  })

  it('stalls without an end, for new connections too, and loses nothing', async () => {
    const proxy = await network()
    const { client, atServer } = await open(proxy)
    proxy.stall()
    const later = await open(proxy)
    client.socket.end('ping')
    later.client.socket.write('ping')
    // A connection around the proxy, so that there was time for what must not happen.
    await aroundTrip()
    expect([atServer.received.length, later.atServer.received.length]).toEqual([0, 0])
    expect(atServer.over).toBeUndefined()
    proxy.flow()
    await atServer.hasReceived('ping')
    await later.atServer.hasReceived('ping')
    await waitFor(() => atServer.over === 'end')
  })

  it('stalls one connection as planned, and lets it flow again', async () => {
    const proxy = await network({ plan: () => ({ kind: 'stall', afterBytes: 1, ms: 100 }) })
    const { client, atServer } = await open(proxy)
    client.socket.write('ping')
    await atServer.hasReceived('ping')
    client.socket.write('!')
    await atServer.hasReceived('ping!')
    expect(proxy.counts.get('stall')).toBe(1)
  })

  it('leaves a connection half-open: the client is gone, the server hears nothing of it', async () => {
    const proxy = await network({ plan: () => ({ kind: 'half-open', afterBytes: 2 }) })
    const { client, atServer } = await open(proxy)
    client.socket.write('abcd')
    await waitFor(() => client.over === 'ECONNRESET')
    await atServer.hasReceived('ab')
    // What the server says to it is not refused, either.
    for (let times = 0; times < 3; times += 1) atServer.socket.write('are you there?')
    await aroundTrip()
    expect(atServer.over).toBeUndefined()
    expect(atServer.socket.destroyed).toBe(false)
    expect(proxy.counts.get('half-open')).toBe(1)
  })

  it('leaves all connections half-open when asked to, and none of the later ones', async () => {
    const proxy = await network()
    const { client, atServer } = await open(proxy)
    proxy.leaveHalfOpen()
    await waitFor(() => client.over === 'ECONNRESET')
    const later = await open(proxy)
    later.client.socket.end('ping')
    await waitFor(() => later.atServer.over === 'end')
    expect(atServer.over).toBeUndefined()
  })

  it('closes its half-open connections when it is closed', async () => {
    const proxy = await network()
    const { atServer } = await open(proxy)
    proxy.leaveHalfOpen()
    await proxy.close()
    await waitFor(() => atServer.over !== undefined)
  })

  it('slows a connection down, and passes everything', async () => {
    const size = 64 * 1024
    let connections = 0
    const proxy = await network({
      plan() {
        connections += 1
        const slow = { kind: 'slow', afterBytes: 1, bytesPerSecond: 4 * size } as const
        return connections === 1 ? slow : undefined
      },
    })
    const order: string[] = []
    const send = async (name: string, { client, atServer }: { client: End; atServer: End }) => {
      client.socket.write(Buffer.alloc(size))
      await waitFor(() => atServer.received.length >= size, { intervalMs: 1 })
      client.socket.write(Buffer.alloc(size))
      await waitFor(() => atServer.received.length === 2 * size, { intervalMs: 1 })
      order.push(name)
    }
    const [slow, fast] = [await open(proxy), await open(proxy)]
    await Promise.all([send('slow', slow), send('fast', fast)])
    expect(order).toEqual(['fast', 'slow'])
  })

  it('slows both directions down when asked to', async () => {
    const proxy = await network()
    const { client, atServer } = await open(proxy)
    proxy.limit({ up: 1, down: 1 })
    client.socket.write('a')
    atServer.socket.write('a')
    await atServer.hasReceived('a')
    await client.hasReceived('a')
    // A byte a second: the next ones have to wait, and come once the limit is gone.
    client.socket.write('b')
    atServer.socket.write('b')
    await aroundTrip()
    expect([atServer.received.length, client.received.length]).toEqual([1, 1])
    await Promise.all([atServer.hasReceived('ab'), client.hasReceived('ab')])
  })

  async function aroundTrip(): Promise<void> {
    const direct = connect(Number(new URL(serverUrl).port), '127.0.0.1')
    const before = accepted.length
    direct.end('hello')
    await waitFor(() => accepted[before]?.over === 'end', { intervalMs: 5 })
  }
})
