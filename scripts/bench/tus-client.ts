/** The cheapest tus client there can be, so that the server is what is measured. */
import { randomBytes } from 'node:crypto'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A server that lets nothing through for this long is taken for stuck. */
export const idleTimeoutMs = 60_000
const agent = new Agent({ keepAlive: true })
const metadata = `filename ${Buffer.from('random.bin').toString('base64')}`
/** Sent over and over. Random, and with a first byte that no image format begins with. */
const block = Buffer.concat([Buffer.of(0), randomBytes(8 * 1024 * 1024 - 1)])

type Headers = Readonly<Record<string, string | number>>

/** Bytes that a server takes for no image, so that it has nothing to convert. */
export function someBytes(size: number): Buffer {
  return block.subarray(0, size)
}

/** Creates an upload of `size` bytes and returns its URL. */
export async function createUpload(filesUrl: string, size: number): Promise<string> {
  const headers = { 'Upload-Length': size, 'Upload-Metadata': metadata, 'Content-Length': 0 }
  const response = await send(filesUrl, 'POST', someBytes(0), headers)
  expectStatus(response, 201)
  return new URL(response.headers.location ?? '', filesUrl).href
}

/** Fills the upload, with requests of `chunkSize` bytes. */
export async function fillUpload(
  url: string,
  size: number,
  chunkSize: number,
  timeoutMs = idleTimeoutMs,
): Promise<void> {
  for (let offset = 0; offset < size; offset += chunkSize) {
    const length = Math.min(chunkSize, size - offset)
    const body = Readable.from(blocks(length))
    const response = await send(url, 'PATCH', body, patchHeaders(offset, length), timeoutMs)
    expectStatus(response, 204)
  }
}

/** Adds bytes to an upload, in one request. */
export async function appendTo(url: string, offset: number, bytes: Buffer): Promise<void> {
  const response = await send(url, 'PATCH', bytes, patchHeaders(offset, bytes.length))
  expectStatus(response, 204)
}

/** A whole upload in the request that creates it. Returns its URL. */
export async function uploadAtOnce(filesUrl: string, bytes: Buffer): Promise<string> {
  const response = await send(filesUrl, 'POST', bytes, {
    'Upload-Length': bytes.length,
    'Upload-Metadata': metadata,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': bytes.length,
  })
  expectStatus(response, 201)
  if (response.headers['upload-offset'] !== String(bytes.length)) {
    throw new Error(`expected all bytes to be taken, not ${response.headers['upload-offset']}`)
  }
  return new URL(response.headers.location ?? '', filesUrl).href
}

/** Asks where an upload stands. */
export async function readOffset(url: string): Promise<number> {
  const response = await send(url, 'HEAD', someBytes(0), {})
  expectStatus(response, 200)
  return Number(response.headers['upload-offset'])
}

/**
 * Begins a request of `size` bytes and leaves it open. How it ends is nobody's business: whoever
 * wants it to end destroys it.
 */
export function openPatch(url: string, size: number): ClientRequest {
  const outgoing = request(url, {
    method: 'PATCH',
    agent: false,
    headers: { 'Tus-Resumable': '1.0.0', ...patchHeaders(0, size) },
  })
  return outgoing.on('error', () => {}).on('response', (response) => response.resume())
}

function patchHeaders(offset: number, length: number): Headers {
  return {
    'Upload-Offset': offset,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': length,
  }
}

function* blocks(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= block.length) yield block.subarray(0, left)
}

async function send(
  url: string,
  method: string,
  body: Readable | Buffer,
  headers: Headers,
  timeoutMs = idleTimeoutMs,
): Promise<IncomingMessage> {
  const outgoing = request(url, {
    method,
    agent,
    headers: { 'Tus-Resumable': '1.0.0', ...headers },
  })
  outgoing.setTimeout(timeoutMs, () => {
    outgoing.destroy(new Error(`${method} ${url} stood still for ${timeoutMs / 1_000} s`))
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject)
  })
  const sent = Buffer.isBuffer(body) ? outgoing.end(body) && undefined : pipeline(body, outgoing)
  const [response] = await Promise.all([answered, sent])
  response.resume()
  return response
}

function expectStatus(response: IncomingMessage, status: number): void {
  if (response.statusCode !== status) {
    throw new Error(`expected ${status}, was answered ${response.statusCode}`)
  }
}
