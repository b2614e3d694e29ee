/** Acknowledged bytes that are too few for a part of their own. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { sha256Of } from '../../support/api.ts'
import { contrast } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, MiB, send, trySend } from '../../support/stock/tus-uploads.ts'
import { waitFor } from '../../support/wait.ts'

contrast(
  'an error of storage while a tail is stored anew leaves the old one',
  { on: ['s3'], stockFails: 'the offset' },
  async (target) => {
    const { content, id } = await beginWithTail(target)
    const { faults } = target.s3
    faults.fail({ operation: 'PutObject', fault: { status: 403, code: 'AccessDenied' } })
    expect(await trySend(target, id, MiB, content.subarray(MiB, 2 * MiB))).toBeGreaterThan(499)
    faults.clear()
    await expectRest(target, id, content)
  },
)

contrast(
  'a crash while a tail is stored anew leaves the old one',
  { on: ['s3'], stockFails: 'the offset' },
  async (target) => {
    const { content, id } = await beginWithTail(target)
    const { faults } = target.s3
    faults.fail({ operation: 'PutObject', fault: 'hang' })
    const sending = trySend(target, id, MiB, content.subarray(MiB, 2 * MiB))
    await waitFor(() => faults.injected() > 0, { what: 'the tail to be stored anew' })
    await target.kill()
    await sending
    faults.clear()
    await target.restart()
    await expectRest(target, id, content)
  },
)

async function beginWithTail(target: Target): Promise<{ content: Buffer; id: string }> {
  const content = randomBytes(12 * MiB)
  const id = await begin(target, content.length)
  await send(target, id, 0, content.subarray(0, MiB))
  return { content, id }
}

/** The tail is still there, and all that follows arrives. */
async function expectRest(target: Target, id: string, content: Buffer): Promise<void> {
  const { offset = 0 } = await ask(target, id)
  expect(offset, 'the offset').toBeGreaterThanOrEqual(MiB)
  await send(target, id, offset, content.subarray(offset))
  expect(sha256Of((await target.object(id)) ?? Buffer.of())).toBe(sha256Of(content))
}
