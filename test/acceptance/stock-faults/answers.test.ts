/** What clients are told, and whether they get to hear it. */
import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { contrast } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, MiB, send, trySend } from '../../support/stock/tus-uploads.ts'
import { headUpload, tusHeaders } from '../../support/tus-requests.ts'

contrast(
  'trouble of storage is not taken for an upload that does not exist',
  { on: ['s3'], stockFails: 'the answer' },
  async (target) => {
    const content = randomBytes(200_000)
    const id = await begin(target, content.length)
    await send(target, id, 0, content.subarray(0, 100_000))
    await target.restart()
    const { faults } = target.s3
    faults.fail({ operation: 'any', fault: { status: 403, code: 'AccessDenied' } })
    expect([200, 423], 'the answer').toContain((await headUpload(target.url, id)).status)
    expect(await trySend(target, id, 100_000, content.subarray(100_000))).toBe(503)
    faults.clear()
    const { offset } = await ask(target, id)
    expect(offset).toBe(100_000)
    await send(target, id, 100_000, content.subarray(100_000))
    expect(await target.object(id)).toEqual(content)
  },
)

contrast(
  'a page of another origin may read when an upload expires',
  { on: ['disk', 's3'], stockFails: 'the exposed headers', expiresInSeconds: 3_600 },
  async (target) => {
    const { headers } = await fetch(`${target.url}/files`, {
      method: 'POST',
      headers: { ...tusHeaders, 'Upload-Length': '10', Origin: 'https://app.example' },
    })
    if (!headers.has('Upload-Expires')) throw new Error('it does not expire')
    const exposed = headers.get('Access-Control-Expose-Headers')?.toLowerCase().split(/, */)
    expect(exposed, 'the exposed headers').toContain('upload-expires')
  },
)

contrast(
  'clients that leave while they fetch a finished upload do not end the server',
  { on: ['disk'], stockFails: 'whether it runs' },
  async (target) => {
    const content = randomBytes(1_000)
    const id = await begin(target, content.length)
    await send(target, id, 0, content)
    for (let time = 0; time < 300 && target.running; time += 1) {
      await leaveAtFirstByte(target.contentUrl(id))
    }
    expect(target.running, 'whether it runs').toBe(true)
    const body = await fetch(target.contentUrl(id)).then((response) => response.arrayBuffer())
    expect(Buffer.from(body)).toEqual(content)
  },
)

contrast(
  'a client that reads only what it is told after it sent a large body hears why it is refused',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, MiB)
    const { answer } = await sendBeforeReading(target, id, 14 * MiB)
    expect(answer, 'the answer').toMatch(/^HTTP\/1\.1 413 /)
    // One that has gigabytes to send is not heard out.
    const { sent } = await sendBeforeReading(target, id, 512 * MiB)
    expect(sent).toBeLessThan(64 * MiB)
  },
)

async function leaveAtFirstByte(url: string): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const request = get(url, { agent: false }, (response) => {
    response.once('data', () => request.destroy())
  })
  request.on('error', () => {}).once('close', resolve)
  await over
}

/** Sends a body that is longer than the upload, and only then looks at what came back. */
async function sendBeforeReading({ url }: Target, id: string, size: number) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const head = [
    `PATCH /files/${id} HTTP/1.1`,
    `Host: ${hostname}`,
    'Tus-Resumable: 1.0.0',
    'Content-Type: application/offset+octet-stream',
    'Upload-Offset: 0',
    `Content-Length: ${size}`,
    '\r\n',
  ]
  const write = promisify<Buffer, void>(socket.write.bind(socket))
  const chunk = Buffer.alloc(64 * 1_024)
  let sent = 0
  try {
    await write(Buffer.from(head.join('\r\n')))
    for (; sent < size; sent += chunk.length) await write(chunk)
    socket.end()
    return { answer: await text(socket), sent }
  } catch {
    return { answer: '', sent }
  } finally {
    socket.destroy()
  }
}
