import { expect, it } from 'vitest'
import { fitInside } from '../../../src/conversion/size.ts'

it.each([
  ['a wide image', { width: 4000, height: 3000 }, { width: 320, height: 240 }],
  ['a tall image', { width: 3000, height: 4000 }, { width: 240, height: 320 }],
  ['a panorama', { width: 100_000, height: 10 }, { width: 320, height: 1 }],
  ['an image that is smaller already', { width: 20, height: 300 }, { width: 20, height: 300 }],
])('%s keeps its shape inside the box', (_name, size, expected) => {
  expect(fitInside(size, { width: 320, height: 320 })).toEqual(expected)
})

it('a box that is not square is respected on both sides', () => {
  const box = { width: 1_500, height: 500 }
  expect(fitInside({ width: 4_000, height: 3_000 }, box)).toEqual({ width: 667, height: 500 })
})
