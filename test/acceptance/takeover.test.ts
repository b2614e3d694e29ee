import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import type { Program } from '../support/program.ts'
import {
  beginUpload,
  deleteUpload,
  headUpload,
  openPatch,
  patchUpload,
} from '../support/tus-requests.ts'
import { waitFor } from '../support/wait.ts'

const content = randomBytes(100_000)
const half = content.subarray(0, 60_000)
const rest = content.subarray(60_000)

it.each(deploymentKinds)(
  'a client on $name goes on at once although its dead connection still stands',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start()
    await goOnAfterDeadConnection(program, program)
  },
)

it.each(deploymentKinds.filter(({ name }) => name === 's3 and postgres'))(
  'a client goes on at another instance although its dead connection stands at the first, on $name',
  async ({ create }) => {
    await using deployment = await create()
    const first = await deployment.start()
    const second = await deployment.start()
    await goOnAfterDeadConnection(first, second)
  },
)

it.each(deploymentKinds.filter(({ name }) => name === 's3 and postgres'))(
  'an upload whose instance was killed can go on at another instance, on $name',
  async ({ create }) => {
    await using deployment = await create()
    const first = await deployment.start()
    const second = await deployment.start()
    const id = await beginUpload(first.url, content.length)
    expect((await patchUpload(first.url, id, 0, half)).status).toBe(204)
    await openPatch(first.url, id, half.length, rest.subarray(0, 1_000), rest.length)
    await first.kill('SIGKILL')
    expect((await headUpload(second.url, id)).headers.get('Upload-Offset')).toBe('60000')
    expect((await patchUpload(second.url, id, half.length, rest)).status).toBe(204)
    expect(await new Api(second).content(id)).toEqual(content)
  },
)

it.each(deploymentKinds)(
  'deleting an upload on $name ends the request that is writing to it and leaves nothing',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start()
    const id = await beginUpload(program.url, content.length)
    const writing = await openPatch(program.url, id, 0, half, content.length)
    expect((await deleteUpload(program.url, id)).status).toBe(204)
    expect((await writing.answered).statusCode).toBe(423)
    expect((await headUpload(program.url, id)).status).toBe(404)
    await waitFor(async () => (await deployment.storedKeys()).length === 0)
  },
)

async function goOnAfterDeadConnection(first: Program, second: Program): Promise<void> {
  const id = await beginUpload(first.url, content.length)
  const dead = await openPatch(first.url, id, 0, half, content.length)
  const head = await headUpload(second.url, id)
  expect(head.status).toBe(200)
  expect(head.headers.get('Upload-Offset')).toBe('60000')
  expect((await dead.answered).statusCode).toBe(423)
  expect((await patchUpload(second.url, id, half.length, rest)).status).toBe(204)
  expect(await new Api(second).content(id)).toEqual(content)
}
