/** How often storage is asked for what, and how it is asked. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { contrast } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, MiB, send, trySend, untilQuiet } from '../../support/stock/tus-uploads.ts'
import { openPatch } from '../../support/tus-requests.ts'

const GiB = 1_024 * MiB

contrast(
  'creating an upload takes no request to storage',
  { on: ['s3'], stockFails: 'the requests', expiresInSeconds: 3_600 },
  async (target) => {
    const requests = requestsFrom(target)
    await begin(target, 200_000)
    expect(requests(), 'the requests').toEqual([])
  },
)

contrast(
  'a small file in one request is one request to storage until it is stored',
  { on: ['s3'], stockFails: 'the requests' },
  async (target) => {
    const requests = requestsFrom(target)
    const id = await begin(target, 200_000)
    await send(target, id, 0, randomBytes(200_000))
    // What follows an upload reads it.
    const storing = requests().filter((operation) => operation !== 'GetObject')
    expect(storing, 'the requests').toEqual(['PutObject'])
  },
)

contrast(
  'asking where an upload stands takes no request to storage, also after a restart',
  { on: ['s3'], stockFails: 'the requests' },
  async (target) => {
    const id = await begin(target, 12 * MiB)
    await send(target, id, 0, randomBytes(9 * MiB))
    await target.restart()
    const requests = requestsFrom(target)
    expect((await ask(target, id)).offset).toBe(9 * MiB)
    expect(requests(), 'the requests').toEqual([])
  },
)

contrast(
  'a request of 1 kB takes at most two requests to storage, however many came before',
  { on: ['s3'], stockFails: 'the requests' },
  async (target) => {
    const id = await begin(target, 12 * MiB)
    await send(target, id, 0, randomBytes(9 * MiB))
    await send(target, id, 9 * MiB, randomBytes(1_024))
    const requests = requestsFrom(target)
    await send(target, id, 9 * MiB + 1_024, randomBytes(1_024))
    expect(requests().length, 'the requests').toBeLessThanOrEqual(2)
  },
)

contrast(
  'requests of 5 MiB do not use up the 10,000 parts before a large upload is through',
  { on: ['s3'], stockFails: 'the parts' },
  async (target) => {
    const length = 98 * GiB
    const requestBytes = 5 * MiB
    const id = await begin(target, length)
    for (let sent = 0; sent < 36 * MiB; sent += requestBytes) {
      await send(target, id, sent, randomBytes(requestBytes))
    }
    const parts = target.s3.requests.filter(({ operation }) => operation === 'UploadPart')
    const inParts = parts.reduce((sum, { size }) => sum + size, 0)
    expect(parts.length).toBeGreaterThan(1)
    expect((length / inParts) * parts.length, 'the parts').toBeLessThanOrEqual(10_000)
  },
)

contrast(
  'what storage fails at once for no lasting reason is tried again, and no client hears of it',
  { on: ['s3'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, 20 * MiB)
    const { faults } = target.s3
    faults.fail({ operation: 'UploadPart', fault: { status: 503, code: 'SlowDown' }, times: 1 })
    faults.fail({ operation: 'UploadPart', fault: 'drop-before', times: 2 })
    expect(await trySend(target, id, 0, randomBytes(20 * MiB)), 'the answer').toBe(204)
  },
)

contrast(
  'parts go to storage as they are, without a framing that not every service takes',
  { on: ['s3'], stockFails: 'the framing', stock: { sdkChecksums: true } },
  async (target) => {
    const id = await begin(target, 12 * MiB)
    await trySend(target, id, 0, randomBytes(12 * MiB))
    await untilQuiet(target)
    const parts = target.s3.requests.filter(({ operation }) => operation === 'UploadPart')
    if (parts.length === 0) throw new Error('there was no part')
    const framing = parts.map(({ headers }) => headers['content-encoding'])
    expect(framing, 'the framing').toEqual(parts.map(() => undefined))
    expect((await ask(target, id)).offset).toBe(12 * MiB)
  },
)

contrast(
  'bytes on their way to storage are not written to the disk of the server',
  { on: ['s3'], stockFails: 'temporary files' },
  async (target) => {
    const id = await begin(target, 20 * MiB)
    const { request } = await openPatch(target.url, id, 0, randomBytes(9 * MiB), 20 * MiB)
    await untilQuiet(target)
    expect(await target.temporaryFiles(), 'temporary files').toEqual([])
    request.destroy()
  },
)

/** What storage was asked for since. */
function requestsFrom(target: Target): () => (string | undefined)[] {
  const { requests } = target.s3
  const before = requests.length
  return () => requests.slice(before).map(({ operation }) => operation)
}
