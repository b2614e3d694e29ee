import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createS3Storage } from '../../../src/storage/s3/s3-storage.ts'
import { freePort } from '../../support/free-port.ts'
import { startS3, type TestS3 } from '../../support/s3.ts'
import { type FaultProxy, startFaultProxy } from '../../support/s3-faults.ts'
import { useCredentials } from '../../support/storage.ts'

describe('the check of a bucket', () => {
  let s3: TestS3
  let faults: FaultProxy

  beforeAll(async () => {
    s3 = await startS3()
    faults = await startFaultProxy(s3.endpoint)
    useCredentials(s3)
  })
  afterAll(async () => {
    await faults?.close()
    await s3?.close()
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    faults.clear()
  })

  async function check(changes: { bucket?: string; endpoint?: string } = {}): Promise<unknown> {
    const { bucket } = s3
    const storage = createS3Storage({
      bucket,
      endpoint: faults.endpoint,
      region: 'us-east-1',
      ...changes,
    })
    try {
      return await storage.check().catch((error) => error)
    } finally {
      await storage.close()
    }
  }

  const line = (message: string | RegExp) => ({
    code: 'storage-unusable',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  })

  it('is content with a bucket it can use', async () => {
    expect(await check()).toBeUndefined()
    expect(await s3.listKeys()).toEqual([])
  })

  it('names the bucket that is not there', async () => {
    expect(await check({ bucket: 'photos' })).toMatchObject(
      line(`S3_BUCKET=photos: no such bucket at ${faults.endpoint}`),
    )
  })

  it('names the endpoint nobody listens at', async () => {
    const port = await freePort()
    const endpoint = `http://127.0.0.1:${port}`
    expect(await check({ endpoint })).toMatchObject(
      line(`S3_ENDPOINT=${endpoint}: cannot be reached (ECONNREFUSED)`),
    )
  })

  it('names the endpoint whose host does not exist, without the password in it', async () => {
    const endpoint = 'http://user:secret@landfall.invalid'
    const message =
      /^S3_ENDPOINT=http:\/\/landfall\.invalid: cannot be reached \((ENOTFOUND|EAI_AGAIN)\)$/
    expect(await check({ endpoint })).toMatchObject(line(message))
  })

  it('gives up on an endpoint that says nothing', { timeout: 20_000 }, async () => {
    faults.fail({ operation: 'PutObject', fault: 'hang' })
    expect(await check()).toMatchObject(line(/^S3_ENDPOINT=.*cannot be reached/))
  })

  it('says that there are no credentials', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null')
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null')
    expect(await check()).toMatchObject(line(/^AWS_ACCESS_KEY_ID: no credentials/))
  })

  it.each([
    [403, 'InvalidAccessKeyId', /^AWS_ACCESS_KEY_ID: /],
    [403, 'SignatureDoesNotMatch', /^AWS_SECRET_ACCESS_KEY: /],
    [403, 'AccessDenied', /^S3_BUCKET=.*may not put, get, delete and list/],
    [301, 'PermanentRedirect', /^S3_REGION=us-east-1: .*in another region/],
    [400, 'AuthorizationHeaderMalformed', /^S3_REGION=us-east-1: .*in another region/],
    [500, 'InternalError', /^S3_ENDPOINT=http.*: answers 500 \(InternalError\)/],
  ])('has one line for %i %s', async (status, code, message) => {
    faults.fail({ operation: 'PutObject', fault: { status, code } })
    const error = await check()
    expect(error).toMatchObject(line(message))
    expect(String(error)).not.toMatch(/\n|test-secret/)
  })

  it('finds credentials that may store and not list', async () => {
    faults.fail({ operation: 'HeadObject', fault: { status: 403, code: 'AccessDenied' } })
    expect(await check()).toMatchObject(line(/^S3_BUCKET=.*may not put, get, delete and list/))
  })
})
