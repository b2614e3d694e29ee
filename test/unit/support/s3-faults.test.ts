import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fault, type FaultProxy, startFaultProxy } from '../../support/s3-faults.ts'
import { waitFor } from '../../support/wait.ts'

interface Arrival {
  readonly url: string | undefined
  readonly body: Buffer
}

interface Answer {
  readonly status: number | undefined
  readonly body: Buffer
}

const MiB = 2 ** 20
const object = '/bucket/key'
const part = '/bucket/key?uploadId=1&partNumber=1'
const bytes = Buffer.alloc(MiB, 'upload')
const stored = Buffer.alloc(MiB, 'stored')

describe('the proxy in front of S3', () => {
  let proxy: FaultProxy
  let endpoint: string
  /** What S3 carried out, and of what it saw only the beginning. */
  const arrived: Arrival[] = []
  let brokenOff = 0
  let chunked = false

  const s3 = createServer(async (incoming, outgoing) => {
    try {
      const body = await buffer(incoming)
      arrived.push({ url: incoming.url, body })
    } catch {
      brokenOff += 1
      return
    }
    const isRead = incoming.method === 'GET'
    if (isRead && !chunked) outgoing.setHeader('content-length', stored.length)
    if (isRead) outgoing.write(stored)
    outgoing.end()
  })

  beforeAll(async () => {
    s3.listen(0, '127.0.0.1')
    await once(s3, 'listening')
    const address = s3.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    proxy = await startFaultProxy(`http://127.0.0.1:${address.port}`, { seed: 1 })
    endpoint = proxy.endpoint
  })
  afterAll(async () => {
    await proxy.close()
    s3.close()
    s3.closeAllConnections()
  })
  beforeEach(() => {
    proxy.clear()
    arrived.length = 0
    brokenOff = 0
    chunked = false
  })

  async function ask(method: string, path: string, body?: Buffer): Promise<Answer> {
    const headers = body ? { 'content-length': body.length } : {}
    const outgoing = request(`${endpoint}${path}`, { method, headers, agent: false })
    const answered = once(outgoing, 'response')
    outgoing.on('error', () => {})
    outgoing.end(body)
    const [answer]: IncomingMessage[] = await answered
    if (!answer) throw new Error('no answer')
    return { status: answer.statusCode, body: await buffer(answer) }
  }

  const put = () => ask('PUT', object, bytes)
  const broken = { code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) }

  it('passes everything on when it is not told to fail', async () => {
    expect(await put()).toMatchObject({ status: 200 })
    expect(arrived[0]?.body.equals(bytes)).toBe(true)
    expect((await ask('GET', object)).body.equals(stored)).toBe(true)
    expect(await ask('HEAD', object)).toMatchObject({ status: 200 })
    expect(proxy.injected()).toBe(0)
  })

  it('counts requests and faults by operation, and faults by kind', async () => {
    proxy.fail({ operation: 'PutObject', fault: { status: 503, code: 'SlowDown' }, after: 1 })
    for (let times = 0; times < 3; times += 1) await put()
    await ask('PUT', part, bytes)
    expect(proxy.count('PutObject')).toBe(3)
    expect(proxy.count('UploadPart')).toBe(1)
    expect(proxy.injected('PutObject')).toBe(2)
    expect(proxy.injected()).toBe(2)
    expect(Object.fromEntries(proxy.injectedByKind())).toEqual({ '503 SlowDown': 2 })
    proxy.heal()
    expect(await put()).toMatchObject({ status: 200 })
    expect(proxy.injected()).toBe(2)
  })

  it.each([
    ['POST', '/bucket/key?uploads=', 'CreateMultipartUpload'],
    ['PUT', part, 'UploadPart'],
    ['POST', '/bucket/key?uploadId=1', 'CompleteMultipartUpload'],
    ['DELETE', '/bucket/key?uploadId=1', 'AbortMultipartUpload'],
    ['GET', '/bucket?uploads=', 'ListMultipartUploads'],
    ['GET', '/bucket/key?uploadId=1', 'ListParts'],
    ['GET', '/bucket?list-type=2', 'ListObjects'],
    ['PUT', object, 'PutObject'],
    ['GET', object, 'GetObject'],
    ['HEAD', object, 'HeadObject'],
    ['HEAD', '/bucket', 'HeadBucket'],
    ['DELETE', object, 'DeleteObject'],
    ['POST', '/bucket?delete=', 'DeleteObjects'],
  ] as const)('knows %s %s for %s', async (method, path, operation) => {
    await ask(method, path)
    expect(proxy.count(operation)).toBe(1)
  })

  it.each([500, 503, 200])(
    'answers %i with an error for S3, which sees nothing',
    async (status) => {
      proxy.fail({ operation: 'PutObject', fault: { status, code: 'Odd', message: 'why' } })
      const answer = await put()
      expect(answer.status).toBe(status)
      expect(answer.body.toString()).toMatch(/<Code>Odd<\/Code><Message>why<\/Message>/)
      expect(arrived).toEqual([])
    },
  )

  it('breaks the connection before the request takes effect', async () => {
    proxy.fail({ operation: 'PutObject', fault: 'drop-before' })
    await expect(put()).rejects.toMatchObject(broken)
    expect(arrived).toEqual([])
    expect(brokenOff).toBe(0)
  })

  it('breaks the connection after the request took effect', async () => {
    proxy.fail({ operation: 'PutObject', fault: 'drop-after' })
    await expect(put()).rejects.toMatchObject(broken)
    expect(arrived).toHaveLength(1)
  })

  it.each([
    ['hang', 0],
    ['hang-after', 1],
  ] as const)('can %s: nothing comes back, until hangs are ended', async (fault, carriedOut) => {
    proxy.fail({ operation: 'PutObject', fault })
    let over = false
    const asked = put().finally(() => {
      over = true
    })
    await waitFor(() => proxy.injected() === 1)
    // An exchange from beginning to end, in which this one does not move.
    await ask('GET', object)
    expect(over).toBe(false)
    proxy.endHangs()
    await expect(asked).rejects.toMatchObject(broken)
    expect(arrived.filter(({ body }) => body.length > 0)).toHaveLength(carriedOut)
  })

  it('lets S3 see half of a request', async () => {
    proxy.fail({ operation: 'UploadPart', fault: 'truncate-request' })
    await expect(ask('PUT', part, bytes)).rejects.toMatchObject(broken)
    await waitFor(() => brokenOff === 1)
    expect(arrived).toEqual([])
    expect(proxy.injected('UploadPart')).toBe(1)
  })

  it.each([false, true])('breaks off in the middle of a body (chunked: %s)', async (isChunked) => {
    chunked = isChunked
    proxy.fail({ operation: 'GetObject', fault: 'truncate-answer' })
    const { received, ended } = await readBroken(object)
    expect(ended).toBe('aborted')
    expect(received.length).toBeLessThan(stored.length)
    expect(received.equals(stored.subarray(0, received.length))).toBe(true)
  })

  it.each([
    ['PUT', part],
    ['HEAD', object],
  ])('breaks off in the middle of the headers of %s', async (method, path) => {
    proxy.fail({ operation: 'any', fault: 'truncate-answer' })
    await expect(ask(method, path)).rejects.toThrow()
    expect(arrived).toHaveLength(1)
  })

  it('turns over one bit of what goes to S3', async () => {
    proxy.fail({ operation: 'PutObject', fault: 'corrupt-request' })
    expect(await put()).toMatchObject({ status: 200 })
    expect(differences(arrived[0]?.body ?? Buffer.alloc(0), bytes)).toEqual([MiB / 2])
  })

  it('turns over one bit of what comes from S3', async () => {
    proxy.fail({ operation: 'GetObject', fault: 'corrupt-answer' })
    expect(differences((await ask('GET', object)).body, stored)).toEqual([MiB / 2])
  })

  it.each(['truncate-request', 'corrupt-request', 'corrupt-answer'] as const)(
    'passes on what has no body to %s',
    async (fault) => {
      proxy.fail({ operation: 'any', fault })
      expect(await ask('DELETE', object)).toMatchObject({ status: 200 })
      expect(arrived).toHaveLength(1)
      expect(proxy.injected()).toBe(0)
    },
  )

  it('is late with an answer, and is done with the request by then', async () => {
    proxy.fail({ operation: 'PutObject', fault: { delayMs: 300 } })
    const order: string[] = []
    const late = put().then(() => order.push('late'))
    await waitFor(() => proxy.injected() === 1, { intervalMs: 1 })
    expect(arrived).toHaveLength(1)
    await ask('GET', object).then(() => order.push('in time'))
    await late
    expect(order).toEqual(['in time', 'late'])
    expect(proxy.injectedByKind().get('delayed')).toBe(1)
  })

  it('breaks the connection, and lets S3 carry the request out later', async () => {
    proxy.fail({ operation: 'PutObject', fault: { lateMs: 300 } })
    await expect(put()).rejects.toMatchObject(broken)
    expect(arrived).toEqual([])
    await proxy.untilLanded()
    expect(arrived.map(({ body }) => body.equals(bytes))).toEqual([true])
    expect(proxy.injectedByKind().get('late')).toBe(1)
  })

  it('passes bodies on slowly, and unchanged', async () => {
    proxy.fail({ operation: 'any', fault: { bytesPerSecond: 4 * MiB } })
    const order: string[] = []
    const slow = put().then(() => order.push('slow'))
    await waitFor(() => proxy.injected() === 1, { intervalMs: 1 })
    proxy.heal()
    await put().then(() => order.push('fast'))
    await slow
    expect(order).toEqual(['fast', 'slow'])
    expect(arrived.map(({ body }) => body.equals(bytes))).toEqual([true, true])
  })

  it('streams: S3 has the beginning of a body before its end is sent', async () => {
    const headers = { 'content-length': 2 }
    const outgoing = request(`${endpoint}${object}`, { method: 'PUT', headers, agent: false })
    const seen = once(s3, 'request')
    outgoing.write('a')
    await seen
    const answered = once(outgoing, 'response')
    outgoing.end('b')
    const [answer]: IncomingMessage[] = await answered
    answer?.resume()
    expect(arrived[0]?.body.toString()).toBe('ab')
  })

  it('fails with a probability, and the same requests for the same seed', async () => {
    const draw = async () => {
      const other = await startFaultProxy(endpoint, { seed: 'same' })
      const fault: Fault = { status: 503, code: 'SlowDown' }
      other.fail({ operation: 'HeadObject', fault, probability: 0.5 })
      const statuses: number[] = []
      for (let times = 0; times < 20; times += 1) {
        const answer = await fetch(`${other.endpoint}${object}`, { method: 'HEAD' })
        statuses.push(answer.status)
      }
      await other.close()
      return statuses
    }
    const first = await draw()
    expect(new Set(first)).toEqual(new Set([200, 503]))
    expect(await draw()).toEqual(first)
  })

  it('says when a fault has happened, before the client can know', async () => {
    const order: string[] = []
    const onInjected = () => order.push(`injected, ${arrived.length} carried out`)
    proxy.fail({ operation: 'PutObject', fault: 'drop-after', onInjected })
    await put().catch(() => order.push('broken'))
    expect(order).toEqual(['injected, 1 carried out', 'broken'])
  })

  async function readBroken(path: string): Promise<{ received: Buffer; ended: string }> {
    const outgoing = request(`${endpoint}${path}`, { agent: false }).end()
    const [answer]: IncomingMessage[] = await once(outgoing, 'response')
    const chunks: Buffer[] = []
    answer?.on('data', (chunk: Buffer) => chunks.push(chunk))
    const { promise, resolve } = Promise.withResolvers<string>()
    answer?.once('error', (error) => resolve(error.message)).once('end', () => resolve('end'))
    const ended = await promise
    return { received: Buffer.concat(chunks), ended }
  }
})

function differences(actual: Buffer, expected: Buffer): number[] {
  expect(actual.length).toBe(expected.length)
  return [...actual.keys()].filter((index) => actual[index] !== expected[index])
}
