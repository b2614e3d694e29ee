import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { Api, type ImageView, type RenditionView, sha256Of } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'

const presets: readonly (readonly [preset: string, format: string, box: number])[] = [
  ['thumb', 'webp', 320],
  ['small', 'webp', 640],
  ['medium', 'webp', 1280],
  ['large', 'avif', 2048],
  ['large', 'webp', 2048],
  ['large-avif', 'avif', 2048],
]
const minute = 60_000

describe.each(deploymentKinds)('on $name', ({ create }) => {
  let photo: Buffer

  beforeAll(async () => {
    // A phone held upright: the pixels lie on their side, and orientation 6 says so.
    photo = await makePhoto({ width: 3000, height: 2000, orientation: 6 })
  })

  it(
    'an upload over a connection that keeps breaking arrives, is converted and can be fetched',
    async () => {
      await using deployment = await create()
      const program = await deployment.start()
      // All of them together come before the end of the photo.
      const cutAfter = [100_000, Math.floor(photo.length / 7)] as const
      await using network = await startNetworkProxy(program.url, { cuts: 6, cutAfter })

      const upload = await uploadBuffer(network.url, photo, {
        filename: 'Straße am Meer.jpg',
        contentType: 'image/jpeg',
      })
      expect(network.cuts, `seed ${network.seed}`).toBe(6)
      expect(upload.created).toBe(1)
      expect(upload.resumePoints.length).toBeGreaterThanOrEqual(6)
      expect(upload.resumePoints.toSorted((a, b) => a - b)).toEqual(upload.resumePoints)

      const api = new Api(program)
      const image = await api.converted(upload.id)
      expect(image).toMatchObject({
        id: upload.id,
        state: 'ready',
        filename: 'Straße am Meer.jpg',
        contentType: 'image/jpeg',
        format: 'jpeg',
        size: photo.length,
        width: 2000,
        height: 3000,
        sha256: sha256Of(photo),
        thumbhash: expect.stringMatching(/^[\w+/]+=*$/),
        color: expect.stringMatching(/^#[0-9a-f]{6}$/),
      })
      await checkRenditions(api, image, 2000, 3000)
      expect(sha256Of(await api.content(upload.id))).toBe(sha256Of(photo))
      expect(await api.upload(upload.id)).toMatchObject({
        state: 'stored',
        length: photo.length,
        offset: photo.length,
        sha256: sha256Of(photo),
        image: { state: 'ready' },
      })
      expect((await api.images()).items.map(({ id }) => id)).toEqual([upload.id])
      expect((await program.stop()).code).toBe(0)
    },
    3 * minute,
  )

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'a restart by %s in the middle of an upload keeps everything',
    async (signal) => {
      await using deployment = await create()
      let program = await deployment.start()
      await using network = await startNetworkProxy(program.url, { bytesPerSecond: 4_000_000 })
      const small = await sharp(photo).resize(300, 200).jpeg().toBuffer()
      const earlier = await uploadBuffer(network.url, small, { filename: 'earlier.jpg' })
      const before = await new Api(program).converted(earlier.id)
      expect(before.state).toBe('ready')

      const half = Promise.withResolvers<void>()
      const uploading = uploadBuffer(network.url, photo, {
        filename: 'photo.jpg',
        onProgress: (sent, total) => sent > total / 2 && half.resolve(),
      })
      await Promise.race([half.promise, uploading])
      await program.kill(signal)
      program = await deployment.start()
      network.retarget(program.url)
      const upload = await uploading

      expect(upload.created).toBe(1)
      expect(upload.resumePoints.at(-1)).toBeGreaterThan(0)
      const api = new Api(program)
      expect((await api.converted(upload.id)).state).toBe('ready')
      expect(sha256Of(await api.content(upload.id))).toBe(sha256Of(photo))
      expect(await api.image(earlier.id)).toEqual(before)
      await checkRenditions(api, before, 300, 200)
      expect((await api.uploads()).items.map(({ id }) => id)).toEqual([upload.id, earlier.id])
    },
    3 * minute,
  )
})

/** Every preset is there once, decodes to the size it states, and was not enlarged. */
async function checkRenditions(
  api: Api,
  image: ImageView,
  width: number,
  height: number,
): Promise<void> {
  const expected = presets.map(([preset, format]) => ({ preset, format }))
  const actual = image.renditions.map(({ preset, format }) => ({ preset, format }))
  expect(actual).toHaveLength(expected.length)
  expect(actual).toEqual(expect.arrayContaining(expected))
  for (const rendition of image.renditions) {
    const box = presets.find(([preset]) => preset === rendition.preset)?.[2] ?? 0
    const scale = Math.min(1, box / Math.max(width, height))
    expect(Math.abs(rendition.width - width * scale)).toBeLessThan(1)
    expect(Math.abs(rendition.height - height * scale)).toBeLessThan(1)
    await checkBytes(api, rendition)
  }
}

async function checkBytes(api: Api, rendition: RenditionView): Promise<void> {
  const bytes = await api.bytes(rendition.url)
  expect(bytes.length).toBe(rendition.size)
  const { info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
  expect(info).toMatchObject({ width: rendition.width, height: rendition.height })
  const { format, exif } = await sharp(bytes).metadata()
  expect(format === 'heif' ? 'avif' : format).toBe(rendition.format)
  expect(exif, 'camera data in a rendition').toBeUndefined()
}
