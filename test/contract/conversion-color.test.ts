import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cmykTiff } from '../fixtures/cmyk-tiff.ts'
import { withIccProfile } from '../fixtures/icc.ts'
import * as images from '../fixtures/images.ts'
import { type Converting, createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'

const presets = [testPreset({ width: 16, height: 16, formats: ['png'] })]

let converting: Converting

beforeAll(async () => {
  converting = await createConverting()
})

afterAll(() => converting[Symbol.asyncDispose]())

type Rgb = readonly [number, number, number]
type Matrix = readonly [Rgb, Rgb, Rgb]

/** From linear light of Display P3 to linear light of sRGB; both have the white of D65. */
const displayP3: Matrix = [
  [1.2249402, -0.2249402, 0],
  [-0.042057, 1.042057, 0],
  [-0.0196376, -0.0786361, 1.0982737],
]

/** IEC 61966-2-1, which Display P3 uses as well. */
const linear = (value: number) =>
  value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
const encoded = (value: number) =>
  value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055

function toSrgb(space: Matrix, color: Rgb): number[] {
  const light = color.map((value) => linear(value / 255))
  return space.map((row) => {
    const mixed = row.reduce((sum, share, channel) => sum + share * (light[channel] ?? 0), 0)
    return Math.round(255 * encoded(Math.min(Math.max(mixed, 0), 1)))
  })
}

const flat = ([r, g, b]: Rgb) =>
  sharp({ create: { width: 16, height: 16, channels: 3, background: { r, g, b } } })

async function colorOf(bytes: Buffer): Promise<number[]> {
  const { renditions } = await converting.convert(bytes, presets)
  const image = sharp(renditions[0]?.path)
  expect(await image.metadata()).toMatchObject({ space: 'srgb', depth: 'uchar' })
  const data = await image.removeAlpha().raw().toBuffer()
  return [...data.subarray(8 * 16 * 3, 8 * 16 * 3 + 3)]
}

function expectNear(found: readonly number[], wanted: readonly number[], tolerance: number): void {
  const distance = Math.max(...found.map((value, at) => Math.abs(value - (wanted[at] ?? 999))))
  expect(distance, `${found} instead of ${wanted}`).toBeLessThanOrEqual(tolerance)
}

/** Colours of Display P3 that sRGB has as well, as numbers of either. */
const shared: readonly Rgb[] = [
  [128, 128, 128],
  [200, 120, 90],
  [90, 140, 80],
  [60, 90, 160],
  [240, 230, 220],
]

describe('colours', () => {
  it.each(shared)('of Display P3 become those of sRGB: %i, %i, %i', async (...color) => {
    // The numbers stay, only their meaning is declared.
    const profile = (await sharp(await images.displayP3Jpeg()).metadata()).icc
    const bytes = await withIccProfile(await flat(color).png().toBuffer(), profile)
    expectNear(await colorOf(bytes), toSrgb(displayP3, color), 2)
  })

  it('of sixteen bits are those of eight', async () => {
    const bytes = await flat([200, 120, 90]).toColourspace('rgb16').png().toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    expectNear(await colorOf(bytes), [200, 120, 90], 1)
  })

  it('in grey are three equal ones', async () => {
    for (const grey of [0, 77, 128, 255] as const) {
      const bytes = await flat([grey, grey, grey]).toColourspace('b-w').png().toBuffer()
      expectNear(await colorOf(bytes), [grey, grey, grey], 1)
    }
  })
})

describe('a colour profile that makes no sense', () => {
  it.each([
    ['noise', (profile: Buffer) => profile.map((value, at) => value ^ ((at * 37) & 0xff))],
    ['one cut off', (profile: Buffer) => profile.subarray(0, 200)],
    ['one that lies about its size', (profile: Buffer) => Buffer.from(profile).fill(0xff, 0, 4)],
    ['one of countless tags', (profile: Buffer) => Buffer.from(profile).fill(0xff, 128, 132)],
    ['one without a signature', (profile: Buffer) => Buffer.from(profile).fill(0, 36, 40)],
    [
      'one of another kind of colour',
      (profile: Buffer) => Buffer.from(profile).fill('CMYK', 16, 20),
    ],
    ['an empty one', () => Buffer.alloc(0)],
  ])('costs nobody their picture: %s', async (_name, spoil) => {
    const profile = (await sharp(await images.displayP3Jpeg()).metadata()).icc ?? Buffer.alloc(0)
    const png = await withIccProfile(
      await flat([200, 120, 90]).png().toBuffer(),
      Buffer.from(spoil(profile)),
    )
    expectNear(await colorOf(png), [200, 120, 90], 20)
  })
})

describe('colours in CMYK', () => {
  // What Little CMS 2.14 makes of these inks, perceptually, by the profile that sharp brings along:
  // transicc -n -t0 -i cmyk.icc -o *sRGB
  const inks = [
    [
      [0, 0, 0, 0],
      [255, 255, 255],
    ],
    [
      [100, 50, 20, 30],
      [134, 155, 181],
    ],
    [
      [20, 180, 60, 10],
      [212, 91, 128],
    ],
  ] as const

  it.each(inks)('with a profile are those of the profile: %o', async (ink, wanted) => {
    const printed = await flat([9, 9, 9]).withIccProfile('cmyk').jpeg().toBuffer()
    const { icc } = await sharp(printed).metadata()
    expect(icc?.length).toBeGreaterThan(1_000)
    expectNear(await colorOf(cmykTiff(ink, icc)), wanted, 3)
  })

  it.each(inks)('without one are taken for print: %o', async (ink, wanted) => {
    expectNear(await colorOf(cmykTiff(ink)), wanted, 3)
  })
})
