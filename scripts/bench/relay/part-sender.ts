import { Agent, type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'

const partSize = 8 * 2 ** 20
const inFlight = 4

/** Sends bodies as parts to an S3 server that takes parts of multipart uploads it never saw. */
export class PartSender {
  readonly #bucketUrl: string
  readonly #agent = new Agent({ keepAlive: true })
  /** Memory for parts, used again and again. */
  readonly #buffers: Buffer[] = []

  constructor(bucketUrl: string) {
    this.#bucketUrl = bucketUrl
  }

  /** @returns the bytes that were sent. */
  async send(key: string, body: Readable): Promise<number> {
    const sending = new Set<Promise<void>>()
    let size = 0
    let number = 0
    let part = this.#takeBuffer()
    let filled = 0
    const sendPart = async () => {
      number += 1
      const sent = this.#put(key, number, part, filled).then(() => void sending.delete(sent))
      // Looked at below, at the latest when the body has ended.
      sent.catch(() => {})
      sending.add(sent)
      if (sending.size >= inFlight) await Promise.race(sending)
      filled = 0
    }
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      for (let at = 0; at < chunk.length; ) {
        const copied = chunk.copy(part, filled, at)
        at += copied
        filled += copied
        if (filled < part.length) continue
        await sendPart()
        part = this.#takeBuffer()
      }
    }
    if (filled > 0) await sendPart()
    else this.#buffers.push(part)
    await Promise.all(sending)
    return size
  }

  #takeBuffer(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafeSlow(partSize)
  }

  async #put(key: string, number: number, buffer: Buffer, size: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    request(`${this.#bucketUrl}/${key}?partNumber=${number}&uploadId=${key}`, {
      method: 'PUT',
      agent: this.#agent,
      headers: { 'Content-Length': size },
    })
      .once('response', resolve)
      .once('error', reject)
      .end(buffer.subarray(0, size))
    const response = await promise
    response.resume()
    if (response.statusCode !== 200) throw new Error(`S3 answered ${response.statusCode}`)
    this.#buffers.push(buffer)
  }
}
