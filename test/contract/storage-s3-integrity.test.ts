import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/storage/contract.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { contentOf, MiB, TestLedger, useCredentials } from '../support/storage.ts'

const createsMultipart = /[?&]uploads/

/** How a service says what it stored. */
type Witness = 'checksum' | 'echo' | 'etag' | 'nothing' | 'encrypted'

/** An S3 service that stores other bytes than it was sent for as many requests as it is told. */
class CarelessS3 {
  witness: Witness = 'checksum'
  corrupts = 0
  /** Refuses other bytes than the checksum is of, as AWS does, instead of storing them. */
  refuses = false
  readonly requests: IncomingMessage[] = []
  readonly completions: string[] = []
  readonly #server: Server

  constructor() {
    this.#server = createServer(async (request, response) => {
      const sent = await buffer(request)
      this.requests.push(request)
      const [status, headers, body] = this.#answer(request, sent)
      response.writeHead(status, headers).end(body)
    })
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : ''
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  #answer({ method, url = '', headers }: IncomingMessage, sent: Buffer) {
    if (method === 'POST' && createsMultipart.test(url)) {
      return [200, {}, xml('InitiateMultipartUploadResult', 'UploadId', 'some-id')] as const
    }
    if (method === 'POST') {
      this.completions.push(String(sent))
      return [200, {}, xml('CompleteMultipartUploadResult', 'ETag', 'whole')] as const
    }
    if (method === 'HEAD') return [200, { 'content-length': 9 * MiB }, ''] as const
    if (method !== 'PUT') return [200, {}, ''] as const
    return this.#store(sent, headers)
  }

  #store(sent: Buffer, headers: IncomingMessage['headers']) {
    if (this.corrupts > 0) {
      this.corrupts -= 1
      sent[sent.length >> 1] = (sent[sent.length >> 1] ?? 0) ^ 1
    }
    const checksum = base64(crc32(sent))
    if (this.refuses && headers['x-amz-checksum-crc32'] !== checksum) {
      return [400, {}, xml('Error', 'Code', 'BadDigest')] as const
    }
    const md5 = createHash('md5').update(sent).digest('hex')
    const answers = {
      checksum: { etag: '"any"', 'x-amz-checksum-crc32': checksum },
      // Gives back what it was told, without a look at the bytes.
      echo: {
        etag: `"${md5}"`,
        'x-amz-checksum-crc32': String(headers['x-amz-checksum-crc32']),
      },
      etag: { etag: `"${md5}"` },
      nothing: { etag: '"any"' },
      encrypted: { etag: `"${'0'.repeat(32)}"`, 'x-amz-server-side-encryption': 'aws:kms' },
    }
    return [200, answers[this.witness], ''] as const
  }
}

describe('bytes on their way into S3', () => {
  const content = contentOf(9 * MiB)
  let service: CarelessS3
  let storage: Storage

  beforeEach(async () => {
    service = new CarelessS3()
    const endpoint = await service.start()
    useCredentials({ env: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' } })
    storage = createS3Storage({ bucket: 'bucket', endpoint, region: 'us-east-1' })
  })
  afterEach(async () => {
    await storage.close()
    await service.close()
  })

  /** What the program does at its start. */
  async function start(witness: Witness): Promise<void> {
    service.witness = witness
    await storage.check()
    service.requests.length = 0
  }

  const puts = () => service.requests.filter(({ method }) => method === 'PUT')
  const payloads = () => puts().map(({ headers }) => headers['x-amz-content-sha256'])

  it.each(['checksum', 'echo', 'etag'] as const)(
    'are sent again when storage has others, as its %s shows',
    async (witness) => {
      await start(witness)
      service.corrupts = 2
      const ledger = new TestLedger(content.length)
      await ledger.append(storage, content)
      expect(ledger.position.offset).toBe(content.length)
      expect(puts()).toHaveLength(4)
      await storage.put('images/1', content.subarray(0, 1_000), 'image/png')
    },
  )

  it.each(['checksum', 'echo', 'etag'] as const)(
    'never count when storage has others, as its %s shows',
    async (witness) => {
      await start(witness)
      service.corrupts = Infinity
      const unavailable = { code: 'storage-unavailable' }
      for (const size of [1_000, content.length]) {
        const ledger = new TestLedger(size)
        const appended = ledger.append(storage, content.subarray(0, size))
        await expect(appended).rejects.toMatchObject(unavailable)
        expect(ledger.position.offset).toBe(0)
        // A tail.
        const open = new TestLedger()
        await expect(open.append(storage, content, 1_000)).rejects.toMatchObject(unavailable)
        expect(open.position.offset).toBe(0)
      }
      const put = storage.put('images/1', content.subarray(0, 1_000), 'image/png')
      await expect(put).rejects.toMatchObject(unavailable)
    },
  )

  it('are sent again when storage refuses them as others', async () => {
    service.refuses = true
    await start('checksum')
    service.corrupts = 2
    const ledger = new TestLedger(1_000)
    await ledger.append(storage, content.subarray(0, 1_000))
    expect(puts()).toHaveLength(3)
  })

  it.each(['checksum', 'echo', 'etag'] as const)(
    'are not hashed for the signature while its %s is there to be compared',
    async (witness) => {
      await start(witness)
      await new TestLedger(content.length).append(storage, content)
      expect(payloads()).toEqual(['UNSIGNED-PAYLOAD', 'UNSIGNED-PAYLOAD'])
    },
  )

  it.each(['nothing', 'encrypted'] as const)(
    'are signed once there is nothing to compare: %s',
    async (witness) => {
      service.witness = witness
      const small = content.subarray(0, 1_000)
      for (let round = 0; round < 2; round += 1) {
        await new TestLedger(small.length).append(storage, small)
      }
      const sha256 = createHash('sha256').update(small).digest('hex')
      expect(payloads()).toEqual(['UNSIGNED-PAYLOAD', sha256, sha256])
    },
  )

  it('go without being asked for first', async () => {
    await start('checksum')
    await new TestLedger(content.length).append(storage, content)
    expect(puts().map(({ headers }) => headers.expect)).toEqual([undefined, undefined])
  })

  it('have their checksums named when the object is completed, where storage knows them', async () => {
    for (const witness of ['checksum', 'etag'] as const) {
      service.witness = witness
      const ledger = new TestLedger(content.length)
      await ledger.append(storage, content)
      await ledger.complete(storage)
      const created = service.requests.find(({ url = '' }) => createsMultipart.test(url))
      expect(created?.headers['x-amz-checksum-algorithm']).toBe('CRC32')
    }
    const [withChecksums, without] = service.completions
    const checksum = base64(crc32(content.subarray(0, 8 * MiB)))
    expect(withChecksums).toContain(`<ChecksumCRC32>${checksum}</ChecksumCRC32>`)
    expect(withChecksums).toMatch(/<ETag>("|&quot;)any("|&quot;)<\/ETag>/)
    expect(without).not.toContain('Checksum')
  })
})

function base64(checksum: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(checksum)
  return bytes.toString('base64')
}

function xml(root: string, name: string, value: string): string {
  return `<?xml version="1.0"?><${root}><${name}>${value}</${name}></${root}>`
}
