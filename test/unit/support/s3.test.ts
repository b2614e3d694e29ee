import { describe, expect, it } from 'vitest'
import { startS3 } from '../../support/s3.ts'

describe.skipIf(process.env.S3_TEST_ENDPOINT)('an S3 service for tests', () => {
  it('can have a process of its own, which ends when it is closed', async () => {
    const s3 = await startS3({ ownProcess: true })
    const object = `${s3.endpoint}/${s3.bucket}/key`
    expect((await fetch(object, { method: 'PUT', body: 'value' })).status).toBe(200)
    expect(await s3.listKeys()).toEqual(['key'])
    await expect(s3.removeBucket()).rejects.toThrow()
    expect((await fetch(object, { method: 'DELETE' })).ok).toBe(true)
    await s3.removeBucket()
    await s3.close()
    await expect(fetch(object)).rejects.toThrow()
  })
})
