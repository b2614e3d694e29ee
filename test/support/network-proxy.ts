/** A bad network between a client and a server: a TCP proxy that cuts, stalls and slows connections. */
import { once } from 'node:events'
import {
  type AddressInfo,
  createServer,
  connect as openConnection,
  type Server,
  type Socket,
} from 'node:net'
import { newSeed, type Random, seededRandom } from './random.ts'

export interface NetworkProxyOptions {
  /** How many connections are cut before the network turns good; 0 when left out. */
  readonly cuts?: number
  /** A cut comes after a random number of bytes from the client, at least and at most this many. */
  readonly cutAfter?: readonly [min: number, max: number]
  /** Slows each connection's way from the client down to this. */
  readonly bytesPerSecond?: number
  readonly seed?: string | number
}

/** Listens on loopback and passes every connection on to the host and port of `target`. */
export async function startNetworkProxy(
  target: string,
  options: NetworkProxyOptions = {},
): Promise<NetworkProxy> {
  const proxy = new NetworkProxy(target, options)
  await proxy.listen()
  return proxy
}

export class NetworkProxy implements AsyncDisposable {
  readonly seed: string | number
  #target: URL
  #cutsLeft: number
  #cuts = 0
  #stalled = false
  readonly #options: NetworkProxyOptions
  readonly #random: Random
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(target: string, options: NetworkProxyOptions) {
    this.seed = options.seed ?? newSeed()
    this.#target = new URL(target)
    this.#cutsLeft = options.cuts ?? 0
    this.#options = options
    this.#random = seededRandom(this.seed)
    this.#server = createServer((client) => this.#connect(client))
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Where clients connect. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}`
  }

  /** Connections destroyed so far. */
  get cuts(): number {
    return this.#cuts
  }

  /** Sends new connections elsewhere: the server came back under another port. */
  retarget(target: string): void {
    this.#target = new URL(target)
  }

  /** Stops passing bytes, without closing anything. */
  stall(): void {
    this.#stalled = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** Ends a stall. */
  flow(): void {
    this.#stalled = false
    for (const socket of this.#sockets) socket.resume()
  }

  /** Destroys every open connection now. */
  cutNow(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#cuts += 1
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #connect(client: Socket): void {
    const server = openConnection(Number(this.#target.port), this.#target.hostname)
    this.#track(client, server)
    this.#track(server, client)
    server.on('data', (data) => this.#pass(data, server, client))
    this.#passFromClient(client, server)
    if (this.#stalled) this.stall()
  }

  #passFromClient(client: Socket, server: Socket): void {
    let passed = 0
    const cutAt = this.#nextCut()
    client.on('data', (data: Buffer) => {
      const rest = cutAt - passed
      passed += data.length
      if (data.length < rest) {
        this.#pass(data, client, server)
        this.#slowDown(data.length, client)
        return
      }
      // The last bytes are sent before the connection breaks, as on a real network.
      client.removeAllListeners('data').pause()
      server.write(data.subarray(0, rest), () => this.#cut(client, server))
    })
  }

  #nextCut(): number {
    if (this.#cutsLeft <= 0) return Number.POSITIVE_INFINITY
    const [min, max] = this.#options.cutAfter ?? [64 * 1024, 2 * 1024 * 1024]
    return this.#random.integer(min, max)
  }

  /** Networks break in two ways: the server sees a reset, or the stream just ends. */
  #cut(client: Socket, server: Socket): void {
    this.#cutsLeft -= 1
    this.#cuts += 1
    client.resetAndDestroy()
    if (this.#random.integer(0, 1) === 0) server.resetAndDestroy()
    else server.destroy()
  }

  #pass(data: Buffer | string, from: Socket, to: Socket): void {
    if (to.write(data)) return
    from.pause()
    to.once('drain', () => this.#resume(from))
  }

  #slowDown(bytes: number, socket: Socket): void {
    const { bytesPerSecond } = this.#options
    if (bytesPerSecond === undefined) return
    socket.pause()
    setTimeout(() => this.#resume(socket), (bytes / bytesPerSecond) * 1_000)
  }

  #resume(socket: Socket): void {
    if (!this.#stalled) socket.resume()
  }

  #track(socket: Socket, other: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => other.destroy())
    socket.on('end', () => other.end())
    socket.on('close', () => {
      this.#sockets.delete(socket)
      other.destroy()
    })
  }
}
