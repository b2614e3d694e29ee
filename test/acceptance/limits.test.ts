/** What a server says and does that has limits for its users. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { begunId, protocols } from '../support/beginning.ts'
import { type Deployment, deploymentKinds } from '../support/deployments.ts'
import type { Program } from '../support/program.ts'
import { deleteUpload, patchUpload } from '../support/tus-requests.ts'
import { waitFor } from '../support/wait.ts'

const [{ begin }, { begin: beginIetf }] = protocols
const text = Buffer.alloc(1_000, 'no image ')
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

describe.each(deploymentKinds)('limits on $name', (kind) => {
  let deployment: Deployment
  let program: Program

  beforeAll(async () => {
    deployment = await kind.create()
    program = await deployment.start({
      ACCEPT: 'image/*',
      USER_MAX_BYTES: '10KiB',
      USER_MAX_UNFINISHED: '2',
      USER_UPLOADS_PER_MINUTE: '9',
    })
  })
  afterAll(() => deployment[Symbol.asyncDispose]())

  it('are told, and hold for what begins but not for what goes on', async () => {
    const { url } = program
    const config: unknown = await (await fetch(`${url}/v1/config`)).json()
    const numbers = { userMaxBytes: 10_240, userMaxUnfinished: 2, userUploadsPerMinute: 9 }
    expect(config).toMatchObject({ accept: ['image/*'], ...numbers })

    expect((await begin(url, { length: 10, type: 'text/plain' })).status).toBe(415)
    const first = await begin(url, { length: text.length })
    expect(first.status).toBe(201)
    expect(first.headers.get('RateLimit')).toMatch(/^"uploads";r=8;t=\d+$/)
    expect((await begin(url, { length: 10_000 })).status).toBe(413)
    const second = begunId(await beginIetf(url, { length: gif.length }))
    const third = await beginIetf(url, { length: 10 })
    expect(third.status).toBe(429)
    expect(await third.json()).toMatchObject({ code: 'too-many-unfinished' })

    const refused = await patchUpload(url, begunId(first), 0, text)
    expect(refused.status).toBe(415)
    const api = new Api(program)
    expect(await api.upload(begunId(first))).toMatchObject({ state: 'failed' })
    expect((await patchUpload(url, second, 0, gif)).status).toBe(204)
    await waitFor(async () => (await deployment.storedKeys()).every((key) => key.includes(second)))

    // Two have begun; on a slow machine some of that may have come back.
    const send = () => begin(url, { length: gif.length, bytes: gif })
    for (let each = 0; each < 7; each += 1) expect((await send()).status).toBe(201)
    const tooFast = await waitFor(
      async () => {
        const answer = await beginIetf(url, { length: gif.length, bytes: gif })
        return answer.status === 201 ? undefined : answer
      },
      { intervalMs: 1 },
    )
    expect(tooFast.status).toBe(429)
    expect(await tooFast.json()).toMatchObject({ code: 'too-many-uploads' })
    expect(Number(tooFast.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect((await deleteUpload(url, second)).status).toBe(204)
  })
})
