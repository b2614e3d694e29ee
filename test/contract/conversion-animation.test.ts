import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { gifOfFrames } from '../fixtures/gif.ts'
import * as images from '../fixtures/images.ts'
import { type Converting, createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'

const moving = testPreset({ width: 60, height: 60, animated: true })

let converting: Converting

beforeAll(async () => {
  converting = await createConverting({ memory: 400 * 2 ** 20 })
})

afterAll(() => converting[Symbol.asyncDispose]())

/** Red, then blue. */
async function blinking(format: 'gif' | 'webp', loop: number) {
  const frames = ['#ff0000', '#0000ff'].map((background) =>
    sharp({ create: { width: 300, height: 200, channels: 3, background } })
      .png()
      .toBuffer(),
  )
  const both = sharp(await Promise.all(frames), { join: { animated: true } })
  const options = { delay: [120, 450], loop }
  return (
    format === 'gif' ? both.gif(options) : both.webp({ ...options, lossless: true })
  ).toBuffer()
}

const firstPixel = async (path: string, page: number) => {
  const { data } = await sharp(path, { page }).raw().toBuffer({ resolveWithObject: true })
  return [...data.subarray(0, 3)].map((value) => Math.round(value / 32) * 32)
}

it.each(['gif', 'webp'] as const)(
  'a moving %s stays one as WebP, with its delays and loops',
  async (format) => {
    const { renditions } = await converting.convert(await blinking(format, 3), [moving])
    expect(renditions).toMatchObject([{ format: 'webp', width: 60, height: 40, frames: 2 }])
    const path = renditions[0]?.path ?? ''
    expect(await sharp(path, { animated: true }).metadata()).toMatchObject({
      width: 60,
      pageHeight: 40,
      pages: 2,
      delay: [120, 450],
      loop: 3,
    })
    expect(await firstPixel(path, 0)).toEqual([256, 0, 0])
    expect(await firstPixel(path, 1)).toEqual([0, 0, 256])
  },
)

it('every other rendition is a still of the first frame', async () => {
  const presets = [
    { ...moving, formats: ['avif', 'webp', 'jpeg'] as const },
    { ...moving, name: 'still', animated: false, formats: ['webp', 'png'] as const },
    { ...moving, name: 'no-webp', formats: ['jpeg'] as const },
  ]
  const { renditions, color } = await converting.convert(await blinking('gif', 0), presets)
  expect(renditions.map(({ preset, format, frames }) => [preset, format, frames])).toEqual([
    ['box', 'webp', 2],
    ['still', 'webp', 1],
    ['still', 'png', 1],
    ['no-webp', 'jpeg', 1],
  ])
  for (const { path, frames } of renditions) {
    expect((await sharp(path).metadata()).pages ?? 1).toBe(frames)
    expect(await firstPixel(path, 0)).toEqual([256, 0, 0])
  }
  expect(color).toBe('#ff0000')
})

it.each(['attention', { x: 0, y: 0.5 }] as const)(
  'all frames are cut where the first one is (%o)',
  async (focus) => {
    const square = { ...moving, width: 40, height: 40, fit: 'cover', focus } as const
    const original = await images.animated('webp')
    const still = { ...square, name: 'still', animated: false }
    const { renditions } = await converting.convert(original, [square, still])
    const [animated, first] = renditions
    expect(animated).toMatchObject({ width: 40, height: 40, frames: 2 })
    const [a, b] = await Promise.all(
      [animated?.path, first?.path].map((path) => sharp(path).removeAlpha().raw().toBuffer()),
    )
    const distances = [...(a ?? [])].map((value, at) => Math.abs(value - (b?.[at] ?? 0)))
    expect(distances.length).toBe(40 * 40 * 3)
    expect(distances.reduce((sum, value) => sum + value, 0) / distances.length).toBeLessThan(3)
  },
)

it('one that is too long to be made is shown as a still', async () => {
  const long = gifOfFrames(65_535, 100, 100)
  const { renditions } = await converting.convert(long, [moving])
  expect(renditions).toMatchObject([{ format: 'webp', width: 60, height: 60, frames: 1 }])
})

it('frames that are alike are counted as the one they become', async () => {
  const { renditions } = await converting.convert(gifOfFrames(500, 4, 4), [moving])
  const { pages = 1 } = await sharp(renditions[0]?.path).metadata()
  expect(pages).toBeLessThan(500)
  expect(renditions).toMatchObject([{ width: 4, height: 4, frames: pages }])
})

it('one that breaks off is said to be damaged', async () => {
  const whole = await images.animated('webp', { width: 200, height: 200 })
  const failure = converting.convert(whole.subarray(0, whole.length - 100), [moving])
  await expect(failure).rejects.toMatchObject({ code: 'corrupt-image', status: 422 })
})
