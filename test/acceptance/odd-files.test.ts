import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { type Deployment, deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import type { Program } from '../support/program.ts'
import { uploadBuffer } from '../support/upload.ts'

const minute = 60_000

let hugePng: Buffer

beforeAll(async () => {
  hugePng = await makeHugePng()
}, minute)

describe.each(deploymentKinds)('on $name', ({ create }) => {
  let deployment: Deployment
  let program: Program

  beforeEach(async () => {
    deployment = await create()
    program = await deployment.start()
  })

  // Whatever was uploaded, the same process still serves, and still converts.
  afterEach(async () => {
    try {
      expect((await fetch(`${program.url}/readyz`)).status).toBe(200)
      const photo = await makePhoto({ width: 640, height: 480 })
      const { id } = await uploadBuffer(program.url, photo, { filename: 'fine.jpg' })
      expect((await new Api(program).converted(id)).state).toBe('ready')
      expect((await program.stop()).code).toBe(0)
    } finally {
      await deployment[Symbol.asyncDispose]()
    }
  }, 2 * minute)

  it('a text file named .jpg is stored and said to be no image', async () => {
    const text = Buffer.from('These words are no picture.\n'.repeat(100))
    const api = new Api(program)
    const { id } = await uploadBuffer(program.url, text, {
      filename: 'words.jpg',
      contentType: 'image/jpeg',
    })
    const image = await api.converted(id)
    expect(image).toMatchObject({
      state: 'failed',
      error: { code: 'not-an-image' },
      renditions: [],
    })
    expect(image.error?.message).toMatch(/\w{3,}/)
    expect(await api.upload(id)).toMatchObject({
      state: 'stored',
      image: { state: 'failed', error: { code: 'not-an-image' } },
    })
    expect(await api.content(id)).toEqual(text)
  })

  it('a JPEG that breaks off is stored, and its image failed for a reason a person understands', async () => {
    const photo = await makePhoto({ width: 1200, height: 900 })
    const broken = photo.subarray(0, Math.floor(photo.length * 0.4))
    const api = new Api(program)
    const { id } = await uploadBuffer(program.url, broken, { filename: 'broken.jpg' })
    const image = await api.converted(id)
    expect(image).toMatchObject({
      state: 'failed',
      error: { code: 'corrupt-image' },
      renditions: [],
    })
    expect(image.error?.message).toMatch(/\w{3,}/)
    expect(await api.content(id)).toEqual(broken)
  })

  it('a file of zero bytes is stored and said to be no image', async () => {
    const api = new Api(program)
    const { id } = await uploadBuffer(program.url, Buffer.alloc(0), { filename: 'empty.jpg' })
    expect(await api.converted(id)).toMatchObject({
      state: 'failed',
      size: 0,
      error: { code: 'not-an-image' },
    })
    expect(await api.upload(id)).toMatchObject({ state: 'stored', length: 0, offset: 0 })
    expect(await api.content(id)).toHaveLength(0)
  })

  it(
    'a PNG of 20,000 × 20,000 pixels ends as ready, or as too large where memory is short',
    async () => {
      const api = new Api(program)
      const { id } = await uploadBuffer(program.url, hugePng, { filename: 'huge.png' })
      const image = await api.converted(id)
      if (image.state === 'failed') {
        expect(image.error?.code).toBe('image-too-large')
        expect(image.error?.message).toMatch(/pixel/i)
        return
      }
      expect(image).toMatchObject({ state: 'ready', width: 20_000, height: 20_000 })
      const thumb = await sharp(await api.bytes(`/v1/images/${id}/thumb`)).metadata()
      expect(thumb).toMatchObject({ format: 'webp', width: 320, height: 320 })
    },
    2 * minute,
  )
})

/** One colour: 400 million pixels in half a megabyte. */
function makeHugePng(): Promise<Buffer> {
  return sharp({
    create: { width: 20_000, height: 20_000, channels: 3, background: '#336699' },
    limitInputPixels: false,
  })
    .toColourspace('b-w')
    .png()
    .toBuffer()
}
