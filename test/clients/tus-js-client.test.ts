import { PassThrough } from 'node:stream'
import { Upload, type UploadOptions } from 'tus-js-client'
import { beforeAll, describe, expect, it } from 'vitest'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { headUpload } from '../support/tus-requests.ts'
import { idOf } from '../support/upload.ts'
import { expectContent, expectPicture, makePicture, serve, servedKinds } from './support/served.ts'
import { count, send } from './support/tus-client.ts'

const chunkSize = 400_000
const modes: readonly (readonly [name: string, options: UploadOptions])[] = [
  ['in one request', {}],
  ['in chunks', { chunkSize }],
  ['as POST requests', { chunkSize, overridePatchMethod: true }],
  ['with its creation', { uploadDataDuringCreation: true }],
  ['from its creation on, in chunks', { chunkSize, uploadDataDuringCreation: true }],
  ['as a stream of unknown length', { chunkSize, uploadLengthDeferred: true }],
]

describe.each(servedKinds)('tus-js-client against $name', (kind) => {
  const served = serve(kind)
  let picture: Buffer

  beforeAll(async () => {
    picture = await makePicture()
  })

  it.each(modes)('sends a picture %s, though its connection is cut twice', async (_, options) => {
    const cutAfter = [250_000, 500_000] as const
    await using network = await startNetworkProxy(served.url, { cuts: 2, cutAfter })
    const body = options.uploadLengthDeferred ? new PassThrough().end(picture) : picture
    const sending = send(network.url, body, options)
    const id = await sending.finished
    expect(network.cuts, `seed ${network.seed}`).toBe(2)
    expect(count(sending, 'POST', 201)).toBe(1)
    expect(await served.api.upload(id)).toMatchObject({ length: picture.length })
    await expectPicture(served, id, picture, 'picture.png')
  })

  it('sends a file without bytes', async () => {
    const sending = send(served.url, Buffer.alloc(0))
    await expectContent(served.api, await sending.finished, Buffer.alloc(0))
    expect(sending.requests.map(({ method, status }) => [method, status])).toEqual([['POST', 201]])
  })

  it('ends an upload in the middle, and nothing of it stays', async () => {
    const before = await served.storedKeys()
    const middle = Promise.withResolvers<void>()
    const { upload, finished } = send(served.url, picture, {
      chunkSize,
      onChunkComplete: (_, accepted) => accepted > chunkSize && middle.resolve(),
    })
    await Promise.race([middle.promise, finished])
    await upload.abort(true)
    const id = idOf(upload.url)
    expect((await headUpload(served.url, id)).status).toBe(404)
    await expect.poll(() => served.storedKeys()).toEqual(before)
  })

  it('removes an upload that is finished, with all that was made of it', async () => {
    const before = await served.storedKeys()
    const { upload, finished } = send(served.url, picture)
    const id = await finished
    await expectPicture(served, id, picture, 'picture.png')
    await Upload.terminate(upload.url ?? '')
    expect((await headUpload(served.url, id)).status).toBe(404)
    await expect(served.api.content(id)).rejects.toThrow('404')
    await expect.poll(() => served.storedKeys()).toEqual(before)
  })
})
