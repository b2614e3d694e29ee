import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Preset } from '../../src/conversion/contract.ts'
import * as images from '../fixtures/images.ts'
import { svg } from '../fixtures/svg.ts'
import { type Converting, createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'

const square = testPreset({ width: 80, height: 80, fit: 'cover', formats: ['png'] })

let converting: Converting

beforeAll(async () => {
  converting = await createConverting()
})

afterAll(() => converting[Symbol.asyncDispose]())

async function cut(bytes: Buffer, preset: Preset, ...others: Preset[]) {
  const { renditions } = await converting.convert(bytes, [preset, ...others])
  const rendition = renditions.find(({ preset: name }) => name === preset.name)
  const { data, info } = await sharp(rendition?.path)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect(info).toMatchObject({ width: rendition?.width, height: rendition?.height })
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3).subarray(0, 3)]
  return { ...info, at }
}

/** 2,400 × 800: a ramp from black on the left to white on the right. */
const ramp = () =>
  sharp(
    Buffer.from(
      svg(
        '<linearGradient id="g"><stop stop-color="#000"/><stop offset="1" stop-color="#fff"/></linearGradient><rect width="2400" height="800" fill="url(#g)"/>',
        'width="2400" height="800"',
      ),
    ),
  )
    .png()
    .toBuffer()

it.each([
  ['the left edge', { x: 0, y: 0.5 }, 0],
  ['the middle', { x: 0.5, y: 0.5 }, 1 / 3],
  ['a point close to the edge, as far as there is picture', { x: 0.9, y: 0 }, 2 / 3],
  ['a third', { x: 1 / 3, y: 1 }, 1 / 6],
])('a crop lies around %s', async (_name, focus, left) => {
  const { width, height, at } = await cut(await ramp(), { ...square, focus })
  expect([width, height]).toEqual([80, 80])
  // The crop is a third of the width.
  for (const x of [4, 40, 75]) {
    const wanted = 255 * (left + (x + 0.5) / 80 / 3)
    expect(Math.abs((at(x, 40)[0] ?? -99) - wanted)).toBeLessThanOrEqual(2)
  }
})

it('a crop does not depend on what else is made of the image', async () => {
  const bytes = await ramp()
  const alone = await cut(bytes, { ...square, focus: { x: 0.3, y: 0.5 } })
  const large = testPreset({ name: 'large', width: 1_999, height: 1_999, formats: ['jpeg'] })
  const among = await cut(bytes, { ...square, focus: { x: 0.3, y: 0.5 } }, large)
  for (const x of [0, 20, 40, 60, 79]) {
    expect(Math.abs((alone.at(x, 40)[0] ?? 0) - (among.at(x, 40)[0] ?? 99))).toBeLessThanOrEqual(2)
  }
})

it('attention keeps what draws the eye', async () => {
  const grey = sharp({ create: { width: 1_200, height: 300, channels: 3, background: '#808080' } })
  const bright = await images.png({ width: 200, height: 200 })
  const bytes = await grey
    .composite([{ input: bright, left: 950, top: 50 }])
    .png()
    .toBuffer()
  const { at } = await cut(bytes, { ...square, focus: 'attention' })
  const colors = [at(30, 30), at(50, 50), at(40, 40)].map(([r = 0, g = 0]) => Math.abs(r - g))
  expect(Math.max(...colors)).toBeGreaterThan(30)
  const middle = await cut(bytes, square)
  expect(middle.at(40, 40)).toEqual([128, 128, 128])
})

it('a crop follows the orientation', async () => {
  for (const orientation of [1, 6, 7]) {
    const { at } = await cut(await images.jpeg({ orientation }), {
      ...square,
      focus: { x: 0, y: 0 },
    })
    expect(images.closest(at(10, 10))).toBe(images.quarters[0])
    expect(images.closest(at(10, 70))).toBe(images.quarters[2])
  }
})

it('an image smaller than the box is cut to its proportions, not enlarged', async () => {
  const { width, height } = await cut(await images.png({ width: 60, height: 30 }), square)
  expect([width, height]).toEqual([30, 30])
})

it('what two presets share is in both files', async () => {
  const other = { ...square, name: 'other' }
  const { renditions } = await converting.convert(await images.png(), [square, other])
  expect(renditions.map(({ preset }) => preset)).toEqual(['box', 'other'])
  expect(renditions[0]?.sha256).toBe(renditions[1]?.sha256)
  expect(renditions[0]?.path).not.toBe(renditions[1]?.path)
})
