import { expect, it } from 'vitest'
import { admit } from '../../../src/conversion/admit.ts'
import type { RenditionFormat } from '../../../src/conversion/contract.ts'
import type { Inspected } from '../../../src/conversion/inspect.ts'
import { testPreset } from '../../support/presets.ts'

const box = [testPreset({ width: 2_048, height: 2_048, animated: true })]
const GiB = 2 ** 30

function image(over: Partial<Inspected>): Inspected {
  return {
    format: 'jpeg',
    codec: undefined,
    width: 12_000,
    height: 8_000,
    channels: 3,
    bytesPerSample: 1,
    progressive: false,
    frames: 1,
    pages: 1,
    fileBytes: 1_000_000,
    exif: undefined,
    icc: undefined,
    source: 'file',
    ...over,
  }
}

it.each([
  ['a baseline JPEG of almost 1,000 megapixels', { width: 37_000, height: 27_000 }],
  ['an ordinary PNG of 400 megapixels', { format: 'png', width: 20_000, height: 20_000 }],
  ['a progressive JPEG of 100 megapixels', { progressive: true }],
  ['an AVIF of 48 megapixels', { format: 'avif', width: 8_000, height: 6_000 }],
  ['a GIF of 100 megapixels', { format: 'gif' }],
])('%s fits into a gibibyte', (_name, over) => {
  expect(() => admit(image(over), box, GiB)).not.toThrow()
})

it('a photo of 48 megapixels fits in full size, but not as AVIF, whose encoder needs most', () => {
  const photo = image({ width: 8_064, height: 6_048 })
  const fullAs = (format: RenditionFormat) => () =>
    admit(photo, [testPreset({ width: 16_383, height: 16_383, formats: [format] })], GiB)
  expect(fullAs('webp')).not.toThrow()
  expect(fullAs('jpeg')).not.toThrow()
  expect(fullAs('avif')).toThrow(/MiB/)
})

it.each([
  [
    'an interlaced PNG of 400 megapixels',
    { format: 'png', width: 20_000, height: 20_000, progressive: true },
  ],
  ['an AVIF of 96 megapixels', { format: 'avif' }],
  ['a progressive JPEG of 400 megapixels', { width: 20_000, height: 20_000, progressive: true }],
  ['a TIFF of 400 megapixels', { format: 'tiff', width: 20_000, height: 20_000 }],
])('%s does not fit into a gibibyte', (_name, over) => {
  expect(() => admit(image(over), box, GiB)).toThrow(
    expect.objectContaining({ code: 'image-too-large', status: 422 }),
  )
})

it('sixteen bits per channel need twice the frame', () => {
  const png = { format: 'png', progressive: true } as const
  const eight = admit(image(png), box, GiB).bytes
  const sixteen = admit(image({ ...png, bytesPerSample: 2 }), box, GiB).bytes
  expect(sixteen - eight).toBeGreaterThan(12_000 * 8_000 * 3)
})

it('a refusal for memory names the size, what it needs and what is allowed', () => {
  const huge = image({ format: 'png', width: 20_000, height: 20_000, progressive: true })
  expect(() => admit(huge, box, GiB)).toThrow(
    /^Converting this interlaced PNG image of 20,000 × 20,000 pixels would take about 1,\d{3} MiB of memory; 1,024 MiB are allowed\.$/,
  )
})

it('more than 1,000 megapixels are refused however much memory there is', () => {
  expect(() => admit(image({ width: 60_000, height: 60_000 }), box, 2 ** 50)).toThrow(
    'The image has 60,000 × 60,000 pixels (3,600 megapixels); at most 1,000 megapixels can be converted.',
  )
})

const gif = { format: 'gif', width: 640, height: 480 } as const
const framesOf = (over: Partial<Inspected>, memory = GiB) =>
  admit(image({ ...gif, ...over }), box, memory).plan.tasks.map(({ frames }) => frames)

it('an animation moves as long as that is no more than about a minute of work', () => {
  expect(framesOf({ frames: 600 })).toEqual([600])
  expect(framesOf({ frames: 700 })).toEqual([1])
  expect(framesOf({ frames: 65_535, width: 2_000, height: 2_000 })).toEqual([1])
})

it('an animation that would take too much memory is shown as a still', () => {
  expect(framesOf({ frames: 300 })).toEqual([300])
  expect(framesOf({ frames: 300 }, 300 * 2 ** 20)).toEqual([1])
})
