import sharp from 'sharp'
import { thumbHashToAverageRGBA, thumbHashToRGBA } from 'thumbhash'
import { expect, it } from 'vitest'
import { dominantColor, makePlaceholder } from '../../../src/conversion/placeholder.ts'
import { jpeg } from '../../fixtures/images.ts'

function rgba(...pixels: [count: number, ...rgba: number[]][]): Buffer {
  return Buffer.concat(
    pixels.flatMap(([count, ...pixel]) => Array.from({ length: count }, () => Buffer.from(pixel))),
  )
}

it('the dominant colour is the exact colour of most pixels', () => {
  expect(dominantColor(rgba([3, 0, 0x88, 0xcc, 255], [2, 255, 0, 0, 255]))).toBe('#0088cc')
})

it('shades of one colour count together', () => {
  const shades = rgba([2, 0x80, 0, 0, 255], [2, 0x82, 0, 0, 255], [3, 0, 0, 255, 255])
  expect(dominantColor(shades)).toBe('#810000')
})

it('transparent pixels have no say in the dominant colour', () => {
  expect(dominantColor(rgba([9, 0, 0, 0, 0], [1, 0, 255, 0, 255]))).toBe('#00ff00')
  expect(dominantColor(rgba([9, 0, 0, 0, 0]))).toBe('#ffffff')
})

it('the ThumbHash resembles the picture', async () => {
  const { data, info } = await sharp(await jpeg({ width: 320, height: 160 }))
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { thumbhash } = await makePlaceholder({ ...info, data })
  const hash = Buffer.from(thumbhash, 'base64')
  const { w, h } = thumbHashToRGBA(hash)
  expect(w / h).toBeCloseTo(2, 0)
  const { r, b, a } = thumbHashToAverageRGBA(hash)
  expect(a).toBe(1)
  expect(r).toBeGreaterThan(b)
})

it('a line of one pixel has a placeholder too', async () => {
  const line = {
    data: Buffer.alloc(2_000 * 3, 0x40),
    width: 2_000,
    height: 1,
    channels: 3,
  } as const
  expect(await makePlaceholder(line)).toMatchObject({ color: '#404040' })
})
