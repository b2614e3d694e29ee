import { describe, expect, it } from 'vitest'
import { fitInside, frameOf, longestSide } from '../../../src/conversion/size.ts'

describe('inside', () => {
  it.each([
    ['a wide image', { width: 4000, height: 3000 }, { width: 320, height: 240 }],
    ['a tall image', { width: 3000, height: 4000 }, { width: 240, height: 320 }],
    ['a panorama', { width: 100_000, height: 10 }, { width: 320, height: 1 }],
    ['an image that is smaller already', { width: 20, height: 300 }, { width: 20, height: 300 }],
  ])('%s keeps its shape in the box', (_name, size, expected) => {
    expect(fitInside(size, { width: 320, height: 320 })).toEqual(expected)
  })

  it('a box that is not square is respected on both sides', () => {
    const box = { width: 1_500, height: 500 }
    expect(fitInside({ width: 4_000, height: 3_000 }, box)).toEqual({ width: 667, height: 500 })
  })
})

describe('cover', () => {
  const cover = { width: 400, height: 200, fit: 'cover' } as const

  it.each([
    ['a large image is exactly the box', [4000, 3000], [400, 200], [400, 300]],
    ['a panorama is exactly the box', [9000, 300], [400, 200], [6000, 200]],
    ['an image of the size stays', [400, 200], [400, 200], [400, 200]],
    ['an image too low is cut to the proportions', [4000, 100], [200, 100], [4000, 100]],
    ['an image too narrow is cut to the proportions', [100, 4000], [100, 50], [100, 4000]],
    ['a tiny image is cut to the proportions', [3, 3], [3, 2], [3, 3]],
    ['a pixel is a pixel', [1, 1], [1, 1], [1, 1]],
  ] as const)('%s', (_name, [width, height], [outWidth, outHeight], [wholeWidth, wholeHeight]) => {
    expect(frameOf({ width, height }, cover)).toEqual({
      width: outWidth,
      height: outHeight,
      whole: { width: wholeWidth, height: wholeHeight },
    })
  })

  it('nothing is ever enlarged, empty or larger than what it is cut from', () => {
    for (let width = 1; width < 900; width += 7) {
      for (let height = 1; height < 900; height += 11) {
        const frame = frameOf({ width, height }, cover)
        expect(frame.width).toBeLessThanOrEqual(Math.min(400, frame.whole.width))
        expect(frame.height).toBeLessThanOrEqual(Math.min(200, frame.whole.height))
        expect(frame.whole.width).toBeLessThanOrEqual(width)
        expect(frame.whole.height).toBeLessThanOrEqual(height)
        expect(Math.min(frame.width, frame.height)).toBeGreaterThan(0)
      }
    }
  })
})

it('no side is longer than WebP can have', () => {
  const box = { width: 60_000, height: 60_000 }
  for (const fit of ['inside', 'cover'] as const) {
    const { width, height } = frameOf({ width: 40_000, height: 20_000 }, { ...box, fit })
    expect(Math.max(width, height)).toBe(longestSide)
  }
})
