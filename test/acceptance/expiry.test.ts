import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { beginUpload, deleteUpload, headUpload, patchUpload } from '../support/tus-requests.ts'
import { waitFor } from '../support/wait.ts'

it.each(deploymentKinds)(
  'an upload on $name that nobody continues is gone after its time, with all its bytes',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start({ UPLOAD_EXPIRES_IN: '2s' })
    const finished = await beginUpload(program.url, 5)
    expect((await patchUpload(program.url, finished, 0, Buffer.from('whole'))).status).toBe(204)
    const id = await beginUpload(program.url, 100_000)
    const patched = await patchUpload(program.url, id, 0, randomBytes(40_000))
    const expires = Date.parse(patched.headers.get('Upload-Expires') ?? '')
    expect(Math.abs(expires - Date.now())).toBeLessThan(60_000)

    await waitFor(async () => (await headUpload(program.url, id)).status === 410)
    const late = await patchUpload(program.url, id, 40_000, randomBytes(60_000))
    expect(late.status).toBe(410)
    await waitFor(async () => !(await deployment.storedKeys()).some((key) => key.includes(id)), {
      timeoutMs: 30_000,
      what: 'the bytes of the expired upload to be removed',
    })
    expect((await headUpload(program.url, id)).status).toBe(410)
    const api = new Api(program)
    expect(await api.upload(id)).toMatchObject({ state: 'expired' })
    expect(await api.content(finished)).toEqual(Buffer.from('whole'))
    expect((await headUpload(program.url, finished)).headers.get('Upload-Offset')).toBe('5')
    expect((await deleteUpload(program.url, finished)).status).toBe(204)
  },
)
