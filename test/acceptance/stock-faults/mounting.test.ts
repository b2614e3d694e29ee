/** What becomes of a request on its way from the socket to the server. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { contrast, expectInTheEnd } from '../../support/stock/contrast.ts'
import { ask, begin, MiB, send } from '../../support/stock/tus-uploads.ts'
import { openPatch } from '../../support/tus-requests.ts'

contrast(
  'what arrived of a request that breaks off is kept',
  { on: ['disk', 's3'], stockFails: 'the bytes that are kept', stock: { mount: 'handleWeb' } },
  async (target) => {
    const content = randomBytes(9 * MiB)
    const sent = MiB + 12_345
    const id = await begin(target, content.length)
    const { request } = await openPatch(
      target.url,
      id,
      0,
      content.subarray(0, sent),
      content.length,
    )
    request.destroy()
    // Who asks where the upload stands ends what the server has not read by then.
    for (let round = 0; round < 20; round += 1) await fetch(`${target.url}/readyz`)
    await expectInTheEnd(
      target,
      'the bytes that are kept',
      async () => (await ask(target, id)).offset === sent,
    )
    await send(target, id, sent, content.subarray(sent))
    expect(await target.object(id)).toEqual(content)
  },
)

contrast(
  'asking where an upload stands is answered once, and nothing goes wrong behind the answer',
  { on: ['disk', 's3'], stockFails: 'what it complains about', stock: { mount: 'hono' } },
  async (target) => {
    const id = await begin(target, 1_000)
    expect(await ask(target, id)).toEqual({ status: 200, offset: 0 })
    expect(await ask(target, id)).toEqual({ status: 200, offset: 0 })
    expect(target.stderr, 'what it complains about').toBe('')
  },
)
