/** Whom those keep waiting that send little or too much, and those that storage keeps waiting. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { contrast } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { begin, MiB, trySend, untilQuiet } from '../../support/stock/tus-uploads.ts'
import { type OpenPatch, openPatch, tusHeaders } from '../../support/tus-requests.ts'
import { waitFor } from '../../support/wait.ts'

/** More than the stock stack has permits to store parts. */
const many = 70
/** Connections the AWS SDK has when it is told nothing. */
const sdkSockets = 50

contrast(
  'clients that have fallen silent keep nobody from uploading',
  { on: ['s3'], stockFails: 'an upload beside them' },
  async (target) => {
    const idle = await beginIdle(target)
    await expectUpload(target, 'an upload beside them')
    for (const { request } of idle) request.destroy()
  },
)

contrast(
  'requests that fail while they wait for others keep nobody from uploading',
  { on: ['s3'], stockFails: 'an upload after them' },
  async (target) => {
    const idle = await beginIdle(target)
    await failMany(target)
    for (const { request } of idle) request.destroy()
    await expectUpload(target, 'an upload after them')
  },
)

contrast(
  'requests that storage keeps waiting keep nobody else from uploading',
  { on: ['s3'], stockFails: 'an upload beside them' },
  async (target) => {
    const ids = await Promise.all(Array.from({ length: many }, () => begin(target, MiB)))
    const { faults } = target.s3
    faults.fail({ operation: 'PutObject', fault: 'hang', times: many })
    const sending = ids.map((id) => trySend(target, id, 0, randomBytes(1_000)))
    await waitFor(() => faults.injected() >= sdkSockets, { what: 'the requests to hang' })
    await untilQuiet(target)
    faults.heal()
    await expectUpload(target, 'an upload beside them')
    faults.endHangs()
    await Promise.all(sending)
  },
)

/** Uploads of which only the first bytes come. */
async function beginIdle(target: Target): Promise<OpenPatch[]> {
  const begun = Array.from({ length: many }, async () => {
    const id = await begin(target, MiB)
    return openPatch(target.url, id, 0, randomBytes(1_000), MiB)
  })
  const idle = await Promise.all(begun)
  await untilQuiet(target)
  return idle
}

/** Uploads that turn out to be longer than announced while they wait. */
async function failMany(target: Target): Promise<void> {
  const length = 10
  const begun = Array.from({ length: many }, async () => {
    const id = await begin(target, length)
    const patch = request(`${target.url}/files/${id}`, {
      method: 'PATCH',
      agent: false,
      headers: {
        ...tusHeaders,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': '0',
      },
    })
    patch.on('error', () => {})
    patch.write(randomBytes(length))
    return patch
  })
  const requests = await Promise.all(begun)
  await untilQuiet(target)
  const answers = requests.map(async (each) => {
    each.end(randomBytes(length))
    const [answer]: IncomingMessage[] = await once(each, 'response')
    answer?.resume()
    return answer?.statusCode
  })
  expect(new Set(await Promise.all(answers))).toEqual(new Set([413]))
}

/** Two uploads, since one could have come before the others. */
async function expectUpload(target: Target, what: string): Promise<void> {
  const sending = [1, 2].map(async () => {
    const id = await begin(target, 1_000)
    return trySend(target, id, 0, randomBytes(1_000))
  })
  const answers = await Promise.race([
    Promise.all(sending),
    delay(target.patienceMs, undefined, { ref: false }),
  ])
  expect(answers, what).toEqual([204, 204])
}
