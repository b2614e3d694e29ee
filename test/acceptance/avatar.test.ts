import { hc } from 'hono/client'
import type { Api } from 'landfall/client'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

const timeout = 120_000

describe.each(deploymentKinds)('a picture of a user on $name', { timeout }, ({ create }) => {
  it('is set, seen in several sizes, replaced, and removed, by the typed client', async () => {
    await using deployment = await create()
    const { url } = await deployment.start()
    const api = hc<Api>(url)
    const avatar = (size?: number, headers: Record<string, string> = {}) =>
      api.v1.users[':id'].avatar.$get(
        { param: { id: 'local' }, query: size === undefined ? {} : { size } },
        { headers },
      )
    const sizeOf = async (response: { arrayBuffer(): Promise<ArrayBuffer> }) =>
      (await sharp(Buffer.from(await response.arrayBuffer())).metadata()).width

    async function image(width: number): Promise<string> {
      const photo = await makePhoto({ width, height: width })
      const { id } = await uploadBuffer(url, photo, { filename: 'me.jpg' })
      await waitFor(
        async () => {
          const answer = await api.v1.images[':id'].$get({ param: { id } })
          if (answer.status !== 200) throw new Error(`the image is ${answer.status}`)
          return (await answer.json()).state === 'ready' || undefined
        },
        { timeoutMs: timeout, what: 'the image to be ready' },
      )
      return id
    }

    expect((await avatar()).status).toBe(404)
    const first = await image(900)
    const set = await api.v1.me.avatar.$put({ json: { imageId: first } })
    if (!set.ok) throw new Error(`it was refused: ${(await set.json()).code}`)
    expect(await set.json()).toEqual({
      ...{ userId: 'local', imageId: first },
      url: '/v1/users/local/avatar',
    })

    const smallest = await avatar()
    expect(smallest.status).toBe(200)
    expect(smallest.headers.get('Cache-Control')).toBe('private, no-cache')
    expect(await sizeOf(smallest)).toBe(320)
    expect(await sizeOf(await avatar(400))).toBe(640)
    expect(await sizeOf(await avatar(4_096))).toBe(900)

    const known = { 'If-None-Match': smallest.headers.get('ETag') ?? '' }
    expect((await avatar(undefined, known)).status).toBe(304)
    const second = await image(200)
    expect((await api.v1.me.avatar.$put({ json: { imageId: second } })).status).toBe(200)
    const replaced = await avatar(undefined, known)
    expect(replaced.status).toBe(200)
    expect(await sizeOf(replaced)).toBe(200)

    const deleted = await api.v1.images[':id'].$delete({ param: { id: second } })
    expect(deleted.status).toBe(204)
    expect((await avatar(undefined, known)).status).toBe(404)
    const unset = await api.v1.me.avatar.$delete()
    expect(unset.status).toBe(204)
    const left = await api.v1.images.$get({ query: {} })
    if (!left.ok) throw new Error('there are no images')
    expect((await left.json()).items.map(({ id }) => id)).toEqual([first])
  })

  it('cannot be an image that is not there, which the client is told as a problem', async () => {
    await using deployment = await create()
    const { url } = await deployment.start()
    const api = hc<Api>(url)
    const imageId = '019a9f1e-6d2c-7000-8000-3f6c1b2a4d5e'
    const refused = await api.v1.me.avatar.$put({ json: { imageId } })
    expect(refused.status).toBe(404)
    if (refused.ok) throw new Error('it was not refused')
    expect((await refused.json()).code).toBe('image-not-found')
  })
})
