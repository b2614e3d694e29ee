/** What becomes of acknowledged bytes when storage fails in the middle of an upload. */
import { randomBytes } from 'node:crypto'
import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { sha256Of } from '../../support/api.ts'
import type { Fault } from '../../support/s3-faults.ts'
import { contrast, expectInTheEnd } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, MiB, send, trySend } from '../../support/stock/tus-uploads.ts'
import { headUpload, patchUpload } from '../../support/tus-requests.ts'
import { waitFor } from '../../support/wait.ts'

contrast(
  'a part that fails while later ones are stored leaves no hole in the object',
  { on: ['s3'], stockFails: 'the object' },
  async (target) => {
    const content = randomBytes(44 * MiB)
    const id = await begin(target, content.length)
    const { faults } = target.s3
    faults.fail({ operation: 'UploadPart', fault: 'hang', after: 1, times: 1 })
    const sending = trySend(target, id, 0, content.subarray(0, 36 * MiB))
    await waitFor(() => storedParts(target).length >= 3, { what: 'parts after the one that hangs' })
    // From here on nothing else comes through.
    faults.fail({ operation: 'UploadPart', fault: { status: 403, code: 'AccessDenied' } })
    faults.endHangs()
    expect(await sending, 'the answer').toBeGreaterThanOrEqual(500)
    faults.clear()

    await goOn(target, id, content)
    const object = await target.object(id)
    expect(object?.length, 'the size').toBe(content.length)
    expect(sha256Of(object ?? Buffer.of()), 'the object').toBe(sha256Of(content))
  },
)

/** Sends the rest, from where the server says. */
async function goOn(target: Target, id: string, content: Buffer): Promise<void> {
  const { status, offset } = await ask(target, id)
  if (offset === undefined) throw new Error(`the server says ${status}, and not where to go on`)
  if (offset < content.length) await send(target, id, offset, content.subarray(offset))
}

const storedParts = (target: Target) =>
  target.s3.requests.filter(({ operation, status }) => operation === 'UploadPart' && status === 200)

contrast(
  'an upload that somebody else ends in storage is gone, and never complete',
  { on: ['s3'], stockFails: 'the offset' },
  async (target) => {
    const content = randomBytes(20 * MiB)
    const id = await begin(target, content.length)
    await send(target, id, 0, content.subarray(0, 16 * MiB))
    const { client, bucket } = target.s3
    const uploadId = storedParts(target)[0]?.uploadId
    const Key = target.keyOf(id)
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId: uploadId }))

    const { offset = 0 } = await ask(target, id)
    expect(offset, 'the offset').toBeLessThan(content.length)
    const rest = await patchUpload(target.url, id, offset, content.subarray(offset))
    expect(rest.status).toBe(410)
    expect((await headUpload(target.url, id)).status).toBe(410)
    expect(await target.object(id)).toBeUndefined()
  },
)

const failedCompletions: Fault[] = [
  { status: 403, code: 'AccessDenied' },
  { status: 200, code: 'InternalError' },
]
for (const fault of failedCompletions) {
  contrast(
    `an upload that cannot be completed (${JSON.stringify(fault)}) is not said to be, and is later on`,
    { on: ['s3'], stockFails: 'the offset' },
    async (target) => {
      const content = randomBytes(12 * MiB)
      const id = await begin(target, content.length)
      await send(target, id, 0, content.subarray(0, 9 * MiB))
      const { faults } = target.s3
      faults.fail({ operation: 'CompleteMultipartUpload', fault })
      const answer = await trySend(target, id, 9 * MiB, content.subarray(9 * MiB))
      expect(answer, 'the answer').toBeGreaterThanOrEqual(500)
      expect((await ask(target, id)).offset, 'the offset').toBeUndefined()
      expect(await target.object(id)).toBeUndefined()

      faults.clear()
      await expectInTheEnd(
        target,
        'the object',
        async () => (await target.object(id)) !== undefined,
      )
      expect(sha256Of((await target.object(id)) ?? Buffer.of())).toBe(sha256Of(content))
      await expectInTheEnd(target, 'what follows', () => target.isMade(id))
      expect((await ask(target, id)).offset).toBe(content.length)
    },
  )
}
