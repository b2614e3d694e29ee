import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasSignedLinks, type LinkOptions, type SignedLinks } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { contentOf, startDisk, TestLedger, useCredentials } from '../support/storage.ts'

const content = contentOf(6_000_000)
const options: LinkOptions = {
  contentType: 'image/webp',
  contentDisposition: `attachment; filename="?.svg"; filename*=UTF-8''%C3%A9.svg`,
  cacheControl: 'private, max-age=31536000, immutable',
  seconds: 300,
}

it('storage on disk can give no links, and does not pretend to', async () => {
  const disk = await startDisk()
  expect(hasSignedLinks(disk.storage)).toBe(false)
  await disk.close()
})

describe('a link to an object in S3', () => {
  let s3: TestS3
  let storage: ReturnType<typeof createS3Storage>
  let key: string

  beforeAll(async () => {
    s3 = await startS3()
    useCredentials(s3)
    storage = createS3Storage({ ...s3, region: 'us-east-1', prefix: 'some prefix/é+/' })
    const ledger = new TestLedger(content.length)
    await ledger.append(storage, content)
    if (!ledger.records.at(-1)?.whole) await ledger.complete(storage)
    key = ledger.key
  })
  afterAll(async () => {
    await storage.close()
    await s3.close()
  })

  const sign = (given: Partial<LinkOptions> = {}, at = key): Promise<string> => {
    const links: SignedLinks = storage
    return links.signLink(at, { ...options, ...given })
  }

  it('gives its bytes, under the headers that were wished for, to whoever has it', async () => {
    const url = new URL(await sign())
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    for (const [name, value] of [
      ['content-type', options.contentType],
      ['content-disposition', options.contentDisposition],
      ['cache-control', options.cacheControl],
    ] as const) {
      expect(url.searchParams.get(`response-${name}`)).toBe(value)
      // The S3 server from npm pays no heed to them; a real one does.
      if (s3.isExternal) expect(response.headers.get(name)).toBe(value)
    }
  })

  it('gives a range of them', async () => {
    const response = await fetch(await sign(), { headers: { Range: 'bytes=10-19' } })
    expect(response.status).toBe(206)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(content.subarray(10, 20))
  })

  it('names the endpoint as it was set, and ends in time', async () => {
    const url = new URL(await sign({ seconds: 77 }))
    expect(url.origin).toBe(new URL(s3.endpoint).origin)
    expect(url.searchParams.get('X-Amz-Expires')).toBe('77')
    expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('host')
  })

  it('is for this object and these headers alone', async () => {
    const other = new URL(await sign())
    other.searchParams.set('response-content-type', 'text/html')
    const response = await fetch(other)
    await response.body?.cancel()
    // Nor does it look at signatures.
    if (s3.isExternal) expect(response.status).toBe(403)
  })

  it('is signed without asking whether the object is there', async () => {
    const response = await fetch(await sign({}, originalKey('nothing')))
    await response.body?.cancel()
    expect(response.status).toBe(404)
  })
})
