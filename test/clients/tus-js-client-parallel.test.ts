import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ConnectionFault, startNetworkProxy } from '../support/network-proxy.ts'
import { idOf } from '../support/upload.ts'
import { startHttpProxy } from './support/http-proxy.ts'
import { expectContent, expectPicture, makePicture, serve, servedKinds } from './support/served.ts'
import { count, type Sending, send } from './support/tus-client.ts'

const parallelUploads = 4
const chunkSize = 150_000
const mebibyte = 1024 * 1024

describe.each(servedKinds)('tus-js-client with parallel uploads against $name', (kind) => {
  const served = serve(kind)
  let picture: Buffer

  beforeAll(async () => {
    picture = await makePicture()
  })

  /** The picture is there, and no part of it became an image. */
  async function expectOneImage(id: string, before: readonly string[]): Promise<void> {
    await expectPicture(served, id, picture, 'picture.png')
    expect(await imageIds()).toEqual([id, ...before])
  }
  const imageIds = async () => (await served.api.images()).items.map(({ id }) => id)

  it.each([
    ['in one request each', {}],
    ['in chunks', { chunkSize }],
    ['with their creation', { uploadDataDuringCreation: true }],
    ['from their creation on, in chunks', { chunkSize, uploadDataDuringCreation: true }],
  ])('four partial uploads %s become one picture', async (_, options) => {
    const before = await imageIds()
    const sending = send(served.url, picture, { parallelUploads, ...options })
    await expectOneImage(await sending.finished, before)
    expect(count(sending, 'POST', 201)).toBe(parallelUploads + 1)
  })

  it('a partial upload whose connection is cut goes on where it stood', async () => {
    const before = await imageIds()
    const faults: ConnectionFault[] = [{ kind: 'cut', afterBytes: 200_000 }]
    await using network = await startNetworkProxy(served.url, { plan: () => faults.shift() })
    const sending = send(network.url, picture, { parallelUploads })
    await expectOneImage(await sending.finished, before)
    expect(network.cuts).toBe(1)
    expect(count(sending, 'HEAD', 200)).toBe(1)
    expect(sending.requests.find(({ method }) => method === 'HEAD')?.offset).toBeGreaterThan(0)
    expect(count(sending, 'POST', 201)).toBe(parallelUploads + 1)
  })

  it('a client that did not hear that the whole is there may ask for it again', async () => {
    const before = await imageIds()
    const finals: unknown[] = []
    await using network = await startHttpProxy(served.url, ({ headers }) => {
      const concat = headers['upload-concat']
      if (!concat?.includes('final')) return undefined
      finals.push(concat)
      return finals.length === 1 ? 'lose answer' : undefined
    })
    const sending = send(network.url, picture, { parallelUploads })
    await expect(sending.finished).rejects.toThrow()
    const [first] = await expect.poll(imageIds).not.toEqual(before).then(imageIds)
    const id = await again(sending)
    expect(id).toBe(first)
    expect(finals).toEqual([finals[0], finals[0]])
    await expectOneImage(id, before)
  })

  it('a file of many parts is put together, in its order', async () => {
    const bytes = randomBytes(26 * mebibyte + 1)
    const { finished } = send(served.url, bytes, { parallelUploads, metadata: {} })
    await expectContent(served.api, await finished, bytes)
  })

  it('what is left of partial uploads goes when the client ends them', async () => {
    const before = await served.storedKeys()
    const middle = Promise.withResolvers<void>()
    await using network = await startNetworkProxy(served.url, { bytesPerSecond: 1_000_000 })
    const sending = send(network.url, picture, {
      parallelUploads,
      chunkSize,
      onChunkComplete: () => middle.resolve(),
    })
    await Promise.race([middle.promise, sending.finished])
    await sending.upload.abort(true)
    await expect.poll(() => served.storedKeys()).toEqual(before)
  })
})

/** Starts a client again that gave up; resolves with the id. */
function again({ upload }: Sending): Promise<string> {
  return new Promise((resolve, reject) => {
    upload.options.onSuccess = () => resolve(idOf(upload.url))
    upload.options.onError = reject
    upload.start()
  })
}
