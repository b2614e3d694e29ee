import type { Socket } from 'node:net'
import type { Random } from './random.ts'

/** What happens to a connection once the client has sent some bytes. */
export type ConnectionFault = { readonly afterBytes: number } & (
  | {
      /** `half-open`: the client's end breaks, and the server sees neither FIN nor RST, ever. */
      readonly kind: 'cut' | 'half-open'
    }
  | {
      readonly kind: 'stall'
      /** For how long; without it, until the proxy is told to let bytes flow. */
      readonly ms?: number
    }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
)

export interface Rates {
  /** Bytes a second from the client. */
  readonly up?: number | undefined
  /** Bytes a second from the server. */
  readonly down?: number | undefined
}

export interface ConnectionOptions {
  readonly client: Socket
  readonly server: Socket
  readonly random: Random
  readonly fault: ConnectionFault | undefined
  /** Called when a fault happens, a planned one or one that was asked for. */
  readonly onFault: (kind: ConnectionFault['kind']) => void
}

/** A client's connection and the one it is passed on to. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #up: Way
  readonly #down: Way
  #fault: ConnectionFault | undefined
  #fromClient = 0
  #flowTimer: NodeJS.Timeout | undefined
  /** Whether neither end is to hear of the other any more. */
  #severed = false

  constructor(options: ConnectionOptions) {
    const { client, server, fault } = options
    this.#options = options
    this.#fault = fault
    this.#up = new Way(client, server)
    this.#down = new Way(server, client)
    this.#join(client, server)
    this.#join(server, client)
    client.on('data', (data: Buffer) => this.#fromTheClient(data))
    server.on('data', (data: Buffer) => this.#down.pass(data))
    client.once('close', () => clearTimeout(this.#flowTimer))
  }

  /** Networks break in two ways: the server sees a reset, or the stream just ends. */
  cut(): void {
    const { client, server, random, onFault } = this.#options
    onFault('cut')
    client.resetAndDestroy()
    if (random.chance(0.5)) server.resetAndDestroy()
    else server.destroy()
  }

  /** Both ends see a reset. */
  reset(): void {
    this.#options.client.resetAndDestroy()
    this.#options.server.resetAndDestroy()
  }

  /** The client is gone without a word; what the server sends goes nowhere. */
  leaveHalfOpen(): void {
    const { client, server, onFault } = this.#options
    onFault('half-open')
    this.#severed = true
    client.resetAndDestroy()
    server.removeAllListeners('data').resume()
  }

  stall(): void {
    this.#up.hold('stall')
    this.#down.hold('stall')
  }

  flow(): void {
    this.#up.release('stall')
    this.#down.release('stall')
  }

  limit({ up, down }: Rates): void {
    this.#up.bytesPerSecond = up
    this.#down.bytesPerSecond = down
  }

  #fromTheClient(data: Buffer): void {
    const fault = this.#fault
    const rest = fault ? fault.afterBytes - this.#fromClient : Number.POSITIVE_INFINITY
    this.#fromClient += data.length
    if (!fault || data.length < rest) {
      this.#up.pass(data)
      return
    }
    this.#fault = undefined
    if (fault.kind === 'stall' || fault.kind === 'slow') this.#hinder(fault, data)
    else this.#breakOff(fault.kind, data, rest)
  }

  /** The last bytes are sent before the connection breaks, as on a real network. */
  #breakOff(kind: 'cut' | 'half-open', data: Buffer, rest: number): void {
    const { client, server } = this.#options
    client.removeAllListeners('data').pause()
    server.write(data.subarray(0, Math.max(rest, 0)), () => {
      if (kind === 'cut') this.cut()
      else this.leaveHalfOpen()
    })
  }

  #hinder(fault: Extract<ConnectionFault, { kind: 'stall' | 'slow' }>, data: Buffer): void {
    this.#options.onFault(fault.kind)
    if (fault.kind === 'slow') {
      this.limit({ up: fault.bytesPerSecond, down: fault.bytesPerSecond })
    } else {
      this.stall()
      if (fault.ms !== undefined) this.#flowTimer = setTimeout(() => this.flow(), fault.ms)
    }
    this.#up.pass(data)
  }

  #join(socket: Socket, other: Socket): void {
    const tellOther = (event: 'error' | 'end' | 'close') => {
      if (this.#severed) return
      if (event === 'end') other.end()
      else other.destroy()
    }
    for (const event of ['error', 'end', 'close'] as const) {
      socket.on(event, () => tellOther(event))
    }
  }
}

/** One direction of a connection. It flows while nothing holds it. */
class Way {
  bytesPerSecond: number | undefined
  readonly #from: Socket
  readonly #to: Socket
  readonly #holds = new Set<'stall' | 'rate' | 'full'>()

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
  }

  pass(data: Buffer): void {
    if (!this.#to.write(data)) {
      this.hold('full')
      this.#to.once('drain', () => this.release('full'))
    }
    if (this.bytesPerSecond !== undefined) {
      this.hold('rate')
      setTimeout(() => this.release('rate'), (data.length / this.bytesPerSecond) * 1_000).unref()
    }
  }

  hold(reason: 'stall' | 'rate' | 'full'): void {
    this.#holds.add(reason)
    this.#from.pause()
  }

  release(reason: 'stall' | 'rate' | 'full'): void {
    this.#holds.delete(reason)
    if (this.#holds.size === 0) this.#from.resume()
  }
}
