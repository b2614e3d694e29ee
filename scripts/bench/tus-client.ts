/** The cheapest tus client there can be, so that the server is what is measured. */
import { randomBytes } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A server that lets nothing through for this long is taken for stuck. */
const idleTimeoutMs = 60_000
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
/** Sent over and over. Random, and with a first byte that no image format begins with. */
const block = Buffer.concat([Buffer.of(0), randomBytes(8 * 1024 * 1024 - 1)])

/** Creates an upload of `size` bytes and returns its URL. */
export async function createUpload(filesUrl: string, size: number): Promise<string> {
  const filename = Buffer.from('random.bin').toString('base64')
  const response = await send(filesUrl, 'POST', Readable.from([]), {
    'Upload-Length': size,
    'Upload-Metadata': `filename ${filename}`,
    'Content-Length': 0,
  })
  expectStatus(response, 201)
  return new URL(response.headers.location ?? '', filesUrl).href
}

/** Fills the upload, with requests of `chunkSize` bytes. */
export async function fillUpload(url: string, size: number, chunkSize: number): Promise<void> {
  for (let offset = 0; offset < size; offset += chunkSize) {
    const length = Math.min(chunkSize, size - offset)
    const response = await send(url, 'PATCH', Readable.from(blocks(length)), {
      'Upload-Offset': offset,
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': length,
    })
    expectStatus(response, 204)
  }
}

function* blocks(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= block.length) yield block.subarray(0, left)
}

async function send(
  url: string,
  method: string,
  body: Readable,
  headers: Readonly<Record<string, string | number>>,
): Promise<IncomingMessage> {
  const outgoing = request(url, {
    method,
    agent,
    headers: { 'Tus-Resumable': '1.0.0', ...headers },
  })
  outgoing.setTimeout(idleTimeoutMs, () => {
    outgoing.destroy(new Error(`${method} ${url} stood still for ${idleTimeoutMs / 1_000} s`))
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject)
  })
  const [response] = await Promise.all([answered, pipeline(body, outgoing)])
  response.resume()
  return response
}

function expectStatus(response: IncomingMessage, status: number): void {
  if (response.statusCode !== status) {
    throw new Error(`expected ${status}, was answered ${response.statusCode}`)
  }
}
