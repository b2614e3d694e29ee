/** What expiry removes, and what it must not touch. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { contrast } from '../../support/stock/contrast.ts'
import type { S3Store } from '../../support/stock/stores.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, send } from '../../support/stock/tus-uploads.ts'
import { waitFor } from '../../support/wait.ts'

contrast(
  'expiry leaves what is finished where it is',
  { on: ['disk'], stockFails: 'the object', expiresInSeconds: 2 },
  async (target) => {
    const content = randomBytes(1_000)
    const id = await begin(target, content.length)
    await send(target, id, 0, content)
    await untilAnotherHasExpired(target)
    expect(await target.object(id), 'the object').toEqual(content)
  },
)

contrast(
  'a finished upload is never said to have expired',
  { on: ['disk', 's3'], stockFails: 'the answer', expiresInSeconds: 2 },
  async (target) => {
    const content = randomBytes(1_000)
    const id = await begin(target, content.length)
    await send(target, id, 0, content)
    await untilAnotherHasExpired(target)
    expect(await ask(target, id), 'the answer').toEqual({ status: 200, offset: content.length })
  },
)

contrast(
  'expiry leaves the multipart uploads of other applications alone',
  { on: ['s3'], stockFails: 'the other', expiresInSeconds: 2 },
  async (target) => {
    const other = await beginOther(target.s3)
    await untilAnotherHasExpired(target)
    expect(await other.complete(), 'the other').toBe('completed')
  },
)

/** Begins an upload and waits until nothing of it is left. */
async function untilAnotherHasExpired(target: Target): Promise<void> {
  const id = await begin(target, 100_000)
  await send(target, id, 0, randomBytes(40_000))
  const isGone = async () => !(await target.holdsAnythingOf(id))
  await waitFor(isGone, { what: 'an unfinished upload to expire' })
}

/** A multipart upload that another application has under way in the same bucket. */
async function beginOther({ client, bucket }: S3Store) {
  const object = { Bucket: bucket, Key: 'backups/monday' }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object))
  const part = { ...object, UploadId, PartNumber: 1 }
  const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: randomBytes(1_000) }))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
  return {
    complete: () =>
      client
        .send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload }))
        .then(
          () => 'completed',
          (error: unknown) => (error instanceof Error ? error.name : error),
        ),
  }
}
