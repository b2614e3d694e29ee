/** How long requests wait for an upload or for storage, and at what cost. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { contrast, expectInTheEnd } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, MiB, send, trySend } from '../../support/stock/tus-uploads.ts'
import { headUpload, openPatch, tusHeaders } from '../../support/tus-requests.ts'
import { waitFor } from '../../support/wait.ts'

/** As long as a request to storage may be silent, and then some: it is not a matter of patience. */
const hangMs = 25_000
const metadataBytes = 9_000

contrast(
  'an upload whose connection to storage hangs can go on, and is not lost to a request for ever',
  { on: ['s3'], stockFails: 'where to go on', stock: { lockTimeoutMs: 1_000 } },
  async (target) => {
    const id = await begin(target, MiB)
    const sending = await beginHanging(target, id, 1)
    const isKnown = async () => (await ask(target, id)).offset !== undefined
    await expectInTheEnd(target, 'where to go on', isKnown, hangMs)
    target.s3.faults.clear()
    target.s3.faults.endHangs()
    await sending.settled
    const { offset = 0 } = await ask(target, id)
    if (offset < MiB) await send(target, id, offset, randomBytes(MiB - offset))
    expect((await target.object(id))?.length).toBe(MiB)
  },
)

contrast(
  'an upload that another request still has is no error of the server',
  { on: ['s3'], stockFails: 'the answers', stock: { lockTimeoutMs: 1_000 } },
  async (target) => {
    const id = await begin(target, MiB)
    const sending = await beginHanging(target, id, Number.POSITIVE_INFINITY)
    const [head, patch] = await Promise.all([
      headUpload(target.url, id),
      trySend(target, id, 0, randomBytes(1_000)),
    ])
    target.s3.faults.clear()
    target.s3.faults.endHangs()
    await sending.settled
    expect([head.status, patch], 'the answers').toEqual([423, 423])
    expect(head.headers.get('Retry-After')).toMatch(/^\d+$/)
  },
)

contrast(
  'waiting for another request to let go of an upload costs next to nothing',
  { on: ['disk'], stockFails: 'turns of the event loop' },
  async (target) => {
    const id = await begin(target, MiB)
    const { request } = await openPatch(target.url, id, 0, randomBytes(1_000), MiB)
    const before = await target.probe()
    expect((await ask(target, id)).offset).toBe(1_000)
    const after = await target.probe()
    request.destroy()
    expect(after.turns - before.turns, 'turns of the event loop').toBeLessThan(1_000)
  },
)

contrast(
  'an upload that only waits to be continued takes no memory',
  { on: ['s3'], stockFails: 'bytes for each upload', expiresInSeconds: 3_600 },
  async (target) => {
    const uploads = 150
    await createMany(target, uploads)
    const before = await target.probe()
    await createMany(target, uploads)
    const after = await target.probe()
    const bytes = (after.heapBytes - before.heapBytes) / uploads
    expect(bytes, 'bytes for each upload').toBeLessThan(metadataBytes / 3)
  },
)

/** A request whose bytes storage has taken, and never answers for. */
async function beginHanging(target: Target, id: string, times: number) {
  const { faults } = target.s3
  faults.fail({ operation: 'PutObject', fault: 'hang', times })
  const settled = trySend(target, id, 0, randomBytes(MiB / 2))
  await waitFor(() => faults.injected() > 0, { what: 'the request to hang' })
  return { settled }
}

/** Each with much to remember. */
async function createMany(target: Target, count: number): Promise<void> {
  const note = Buffer.alloc(metadataBytes, 'all is well; ').toString('base64')
  const headers = { ...tusHeaders, 'Upload-Length': '1000', 'Upload-Metadata': `note ${note}` }
  for (let left = count; left > 0; left -= 10) {
    const created = Array.from({ length: 10 }, async () => {
      const { status } = await fetch(`${target.url}/files`, { method: 'POST', headers })
      if (status !== 201) throw new Error(`an upload was answered ${status}`)
    })
    await Promise.all(created)
  }
}
