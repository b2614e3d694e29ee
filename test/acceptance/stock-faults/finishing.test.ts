/** What happens when the last byte is there: the object exists, and what follows is done. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { sha256Of } from '../../support/api.ts'
import { makePhoto } from '../../support/photo.ts'
import { contrast, expectInTheEnd } from '../../support/stock/contrast.ts'
import { ask, begin, MiB, send, trySend } from '../../support/stock/tus-uploads.ts'
import { tusHeaders } from '../../support/tus-requests.ts'
import { idOf } from '../../support/upload.ts'
import { waitFor } from '../../support/wait.ts'

contrast(
  'a crash after the object was completed, before the client was told, loses nothing that follows',
  { on: ['s3'], stockFails: 'what follows' },
  async (target) => {
    const content = randomBytes(12 * MiB)
    const id = await begin(target, content.length)
    await send(target, id, 0, content.subarray(0, 9 * MiB))
    const { faults } = target.s3
    faults.fail({ operation: 'CompleteMultipartUpload', fault: 'hang-after' })
    const sending = trySend(target, id, 9 * MiB, content.subarray(9 * MiB))
    await waitFor(() => faults.injected() > 0, { what: 'the object to be completed' })
    await target.kill()
    await sending
    faults.clear()
    await target.restart()
    await expectInTheEnd(target, 'what follows', () => target.isMade(id))
    expect((await ask(target, id)).offset).toBe(content.length)
    expect(sha256Of((await target.object(id)) ?? Buffer.of())).toBe(sha256Of(content))
  },
)

contrast(
  'a crash in the middle of what follows an upload does not keep it from being done',
  { on: ['disk', 's3'], stockFails: 'what follows' },
  async (target) => {
    const photo = await makePhoto({ width: 1600, height: 1200 })
    const id = await begin(target, photo.length)
    const sending = trySend(target, id, 0, photo)
    await waitFor(() => target.isBeingMade(id), { intervalMs: 5, what: 'the conversion to begin' })
    await target.kill()
    await sending
    await target.restart()
    await expectInTheEnd(target, 'what follows', () => target.isMade(id))
    expect(sha256Of((await target.object(id)) ?? Buffer.of())).toBe(sha256Of(photo))
  },
)

contrast(
  'an upload of no bytes has an object of no bytes',
  { on: ['s3'], stockFails: 'the object' },
  async (target) => {
    const id = await begin(target, 0)
    await waitFor(() => target.isMade(id), { what: 'the upload to be finished' })
    expect(await target.object(id), 'the object').toEqual(Buffer.of())
  },
)

contrast(
  'an upload whose length is told last is completed, wherever metadata is cached',
  { on: ['s3'], stockFails: 'the object', stock: { textCache: true } },
  async (target) => {
    const content = randomBytes(3_000)
    const begun = await fetch(`${target.url}/files`, {
      method: 'POST',
      headers: { ...tusHeaders, 'Upload-Defer-Length': '1' },
    })
    const id = idOf(new URL(begun.headers.get('Location') ?? '', target.url).href)
    await send(target, id, 0, content.subarray(0, 1_000))
    const last = await fetch(`${target.url}/files/${id}`, {
      method: 'PATCH',
      headers: {
        ...tusHeaders,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': '1000',
        'Upload-Length': '3000',
      },
      body: new Uint8Array(content.subarray(1_000)),
    })
    if (last.status !== 204) throw new Error(`the last bytes were answered ${last.status}`)
    expect(await target.object(id), 'the object').toEqual(content)
  },
)
