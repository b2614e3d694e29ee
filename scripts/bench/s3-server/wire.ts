/**
 * As much of HTTP/1.1 as the clients of the bench need, one request after the other on a connection.
 * Node's own server would take half a CPU second more for every GiB of bodies, and the cores are
 * there for those who are measured.
 */
import type { Socket } from 'node:net'
import { type Answer, writeAnswer } from './answer.ts'
import { ChunkedPayload } from './chunked-payload.ts'

export interface WireRequest {
  readonly method: string
  readonly url: string
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Gets the bytes of the body. To be set before anything is awaited; they are dropped otherwise. */
  take: (bytes: Buffer) => void
  /** Resolves after the last byte of the body; not at all when the client goes away before. */
  readonly ended: Promise<void>
}

/** Answers a request. A connection whose request it rejects is closed. */
export type Serve = (request: WireRequest) => Promise<Answer>

/** Reads some of a body. @returns what follows the body, or undefined when it has not ended. */
type ReadBody = (chunk: Buffer) => Buffer | undefined

const maxHead = 64 * 1024
const endOfHead = '\r\n\r\n'

export function serveConnection(socket: Socket, serve: Serve): void {
  let head: Buffer = Buffer.alloc(0)
  let readBody: ReadBody | undefined
  let endBody = () => {}

  /** @returns the bytes that are still to be read. */
  function readHead(chunk: Buffer): Buffer {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    const end = head.indexOf(endOfHead)
    if (end < 0 && head.length > maxHead) socket.destroy()
    if (end < 0) return Buffer.alloc(0)
    const rest = head.subarray(end + endOfHead.length)
    const { promise, resolve } = Promise.withResolvers<void>()
    const request = parseHead(head.toString('latin1', 0, end), promise)
    head = Buffer.alloc(0)
    endBody = resolve
    readBody = bodyReader(request)
    if (request.headers.has('expect')) socket.write(`HTTP/1.1 100 Continue${endOfHead}`)
    respond(request).catch(() => socket.destroy())
    return readRest(rest)
  }

  /** A body may have no bytes at all, so it is read even when there are none. */
  function readRest(chunk: Buffer): Buffer {
    const rest = readBody?.(chunk)
    if (!rest) return Buffer.alloc(0)
    readBody = undefined
    endBody()
    return rest
  }

  async function respond(request: WireRequest): Promise<void> {
    const answer = await serve(request)
    await request.ended
    writeAnswer(socket, answer, request.method === 'HEAD')
  }

  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk
    while (rest.length > 0) rest = readBody ? readRest(rest) : readHead(rest)
  })
}

function parseHead(head: string, ended: Promise<void>): WireRequest {
  const [first = '', ...lines] = head.split('\r\n')
  const [method = '', url = ''] = first.split(' ')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { method, url, headers: new Map(headers), take: () => {}, ended }
}

function bodyReader(request: WireRequest): ReadBody {
  if (request.headers.get('transfer-encoding') === 'chunked') {
    const payload = new ChunkedPayload((bytes) => request.take(bytes))
    return (chunk) => payload.write(chunk)
  }
  let left = Number(request.headers.get('content-length') ?? 0)
  return (chunk) => {
    const bytes = chunk.subarray(0, left)
    left -= bytes.length
    if (bytes.length > 0) request.take(bytes)
    return left > 0 ? undefined : chunk.subarray(bytes.length)
  }
}
