import { PassThrough } from 'node:stream'
import type { UploadOptions } from 'tus-js-client'
import { beforeAll, describe, expect, it } from 'vitest'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { headUpload } from '../support/tus-requests.ts'
import { idOf } from '../support/upload.ts'
import { expectPicture, makePicture, type Served, serve, servedKinds } from './support/served.ts'
import { count, send } from './support/tus-client.ts'

declare module 'tus-js-client' {
  /** Options the client has that are missing from its types. */
  interface UploadOptions {
    protocol?: 'tus-v1' | 'ietf-draft-03' | 'ietf-draft-05'
  }
}

const chunkSize = 400_000
const protocols = ['ietf-draft-03', 'ietf-draft-05'] as const
const modes: readonly (readonly [name: string, options: UploadOptions])[] = [
  ['in one request', {}],
  ['in chunks', { chunkSize }],
  ['with its creation', { uploadDataDuringCreation: true }],
  ['from its creation on, in chunks', { chunkSize, uploadDataDuringCreation: true }],
  ['as a stream of unknown length', { chunkSize, uploadLengthDeferred: true }],
]
/** The client names the file in a header of tus, which this protocol does not know. */
const headers = { 'Content-Disposition': 'attachment; filename="picture.png"' }

describe.each(servedKinds)('tus-js-client against $name', (kind) => {
  const served = serve(kind)
  describe.each(protocols)('speaking %s', (protocol) => tests(served, protocol))
})

function tests(served: Served, protocol: (typeof protocols)[number]): void {
  let picture: Buffer

  beforeAll(async () => {
    picture = await makePicture()
  })

  it.each(modes)('sends a picture %s, though its connection is cut twice', async (_, options) => {
    const cutAfter = [250_000, 500_000] as const
    await using network = await startNetworkProxy(served.url, { cuts: 2, cutAfter })
    const body = options.uploadLengthDeferred ? new PassThrough().end(picture) : picture
    const sending = send(network.url, body, { protocol, headers, ...options })
    const id = await sending.finished
    expect(network.cuts, `seed ${network.seed}`).toBe(2)
    expect(count(sending, 'POST', 201)).toBe(1)
    await expectPicture(served, id, picture, 'picture.png')
  })

  it('ends an upload in the middle', async () => {
    const middle = Promise.withResolvers<void>()
    const { upload, finished } = send(served.url, picture, {
      protocol,
      chunkSize,
      onChunkComplete: (_, accepted) => accepted > chunkSize && middle.resolve(),
    })
    await Promise.race([middle.promise, finished])
    await upload.abort(true)
    expect((await headUpload(served.url, idOf(upload.url))).status).toBe(404)
  })
}
