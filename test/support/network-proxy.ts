/** A bad network between a client and a server: a TCP proxy that cuts, stalls and slows connections. */
import { once } from 'node:events'
import {
  type AddressInfo,
  createServer,
  connect as openConnection,
  type Server,
  type Socket,
} from 'node:net'
import { Connection, type ConnectionFault, type Rates } from './network-connection.ts'
import { newSeed, type Random, seededRandom } from './random.ts'

export type { ConnectionFault, Rates }

export interface NetworkProxyOptions {
  /** How many connections are cut before the network turns good; 0 when left out. */
  readonly cuts?: number
  /** A cut comes after a random number of bytes from the client, at least and at most this many. */
  readonly cutAfter?: readonly [min: number, max: number]
  /** Slows each connection's way from the client down to this. */
  readonly bytesPerSecond?: number
  readonly seed?: string | number
  /** Asked for every connection, once the cuts are used up: what is to happen to it. */
  readonly plan?: () => ConnectionFault | undefined
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
  #stalled = false
  #rates: Rates
  readonly #counts = new Map<ConnectionFault['kind'], number>()
  readonly #options: NetworkProxyOptions
  readonly #random: Random
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  /** Both ends of connections; of one that is half-open, the server's. */
  readonly #sockets = new Set<Socket>()

  constructor(target: string, options: NetworkProxyOptions) {
    this.seed = options.seed ?? newSeed()
    this.#target = new URL(target)
    this.#cutsLeft = options.cuts ?? 0
    this.#rates = { up: options.bytesPerSecond }
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
    return this.#counts.get('cut') ?? 0
  }

  /** What happened to connections so far, by kind. */
  get counts(): ReadonlyMap<ConnectionFault['kind'], number> {
    return this.#counts
  }

  /** Sends new connections elsewhere: the server came back under another port. */
  retarget(target: string): void {
    this.#target = new URL(target)
  }

  /** Stops passing bytes, without closing anything; nothing hears of an end, either. */
  stall(): void {
    this.#stalled = true
    for (const connection of this.#connections) connection.stall()
  }

  /** Ends a stall, also of single connections. */
  flow(): void {
    this.#stalled = false
    for (const connection of this.#connections) connection.flow()
  }

  /** Slows every connection down to this, new ones too; `{}` makes them as fast as they can be. */
  limit(rates: Rates): void {
    this.#rates = rates
    for (const connection of this.#connections) connection.limit(rates)
  }

  /** Destroys every open connection now. */
  cutNow(): void {
    for (const connection of this.#connections) connection.reset()
    this.#count('cut')
  }

  /** All clients are gone, and the server hears nothing of it. */
  leaveHalfOpen(): void {
    for (const connection of this.#connections) connection.leaveHalfOpen()
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
    const fault = this.#nextFault()
    const onFault = (kind: ConnectionFault['kind']) => {
      this.#count(kind)
      if (kind === 'cut') this.#cutsLeft -= 1
      if (kind === 'half-open') this.#connections.delete(connection)
    }
    const connection = new Connection({ client, server, fault, random: this.#random, onFault })
    connection.limit(this.#rates)
    if (this.#stalled) connection.stall()
    this.#connections.add(connection)
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        this.#connections.delete(connection)
      })
    }
  }

  #nextFault(): ConnectionFault | undefined {
    if (this.#cutsLeft <= 0) return this.#options.plan?.()
    const [min, max] = this.#options.cutAfter ?? [64 * 1024, 2 * 1024 * 1024]
    return { kind: 'cut', afterBytes: this.#random.integer(min, max) }
  }

  #count(kind: ConnectionFault['kind']): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }
}
