import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

const mebibyte = 2 ** 20
const minute = 60_000

describe.each(deploymentKinds)('on $name', ({ create }) => {
  it(
    'a file of several parts arrives unchanged over a breaking connection, and nothing else stays',
    async () => {
      const film = randomBytes(27 * mebibyte + 12_345)
      await using deployment = await create()
      const program = await deployment.start()
      // All of them together come before the end of the film.
      const cutAfter = [mebibyte, 5 * mebibyte] as const
      await using network = await startNetworkProxy(program.url, { cuts: 5, cutAfter })
      const upload = await uploadBuffer(network.url, film, { chunkSize: 5 * mebibyte })
      expect(network.cuts, `seed ${network.seed}`).toBe(5)
      expect(upload.created).toBe(1)

      const api = new Api(program)
      expect(await api.converted(upload.id)).toMatchObject({
        state: 'failed',
        error: { code: 'not-an-image' },
        sha256: sha256Of(film),
      })
      expect(sha256Of(await api.content(upload.id))).toBe(sha256Of(film))
      expect(await deployment.storedKeys()).toEqual([`uploads/${upload.id}`])
    },
    2 * minute,
  )

  it(
    'what is deleted leaves nothing in storage, finished or not',
    async () => {
      await using deployment = await create()
      const program = await deployment.start()
      const photo = await makePhoto({ width: 800, height: 600 })
      const { id } = await uploadBuffer(program.url, photo, { filename: 'photo.jpg' })
      await new Api(program).converted(id)
      expect((await deployment.storedKeys()).length).toBe(7)
      expect((await fetch(`${program.url}/v1/images/${id}`, { method: 'DELETE' })).status).toBe(204)

      const unfinished = await beginUpload(program.url)
      expect((await deployment.storedKeys()).some((key) => key.includes(unfinished))).toBe(true)
      const url = `${program.url}/files/${unfinished}`
      expect((await fetch(url, { method: 'DELETE', headers: tus })).status).toBe(204)
      expect((await fetch(url, { method: 'HEAD', headers: tus })).status).toBe(404)

      const isEmpty = async () => (await deployment.storedKeys()).length === 0
      await waitFor(isEmpty, { what: 'storage to be empty' })
      expect((await new Api(program).uploads()).items).toEqual([])
    },
    minute,
  )

  it(
    'an image deleted while it is converted leaves nothing either',
    async () => {
      await using deployment = await create()
      const program = await deployment.start()
      const { id } = await uploadBuffer(program.url, await makePhoto(), { filename: 'photo.jpg' })
      const working = () => globSync('tmp/*/job-*', { cwd: deployment.dataDir }).length > 0
      await waitFor(working, { intervalMs: 5, what: 'the conversion to begin' })
      expect((await fetch(`${program.url}/v1/images/${id}`, { method: 'DELETE' })).status).toBe(204)
      await waitFor(() => !working(), { what: 'the conversion to end' })
      const isEmpty = async () => (await deployment.storedKeys()).length === 0
      await waitFor(isEmpty, { what: 'storage to be empty' })
      expect((await program.stop()).code).toBe(0)
      expect(await deployment.storedKeys()).toEqual([])
    },
    minute,
  )
})

const tus = { 'Tus-Resumable': '1.0.0' }

/** Ten of a thousand bytes. */
async function beginUpload(server: string): Promise<string> {
  const response = await fetch(`${server}/files`, {
    method: 'POST',
    headers: { ...tus, 'Upload-Length': '1000', 'Content-Type': 'application/offset+octet-stream' },
    body: randomBytes(10),
  })
  expect(response.headers.get('Upload-Offset')).toBe('10')
  return response.headers.get('Location')?.split('/').at(-1) ?? ''
}
