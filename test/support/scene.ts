import sharp from 'sharp'
import { expect } from 'vitest'
import { quarters } from '../fixtures/images.ts'

/** The colour in the middle of each quarter of a picture, as `[r, g, b]`. */
export async function colorsAt(path: string): Promise<number[][]> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) => {
    const start = (Math.floor(info.height * y) * info.width + Math.floor(info.width * x)) * 3
    return [...data.subarray(start, start + 3)]
  }
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)]
}

/** Fails unless the file shows the scene of the fixtures, upright and in its colours. */
export async function expectScene(path: string, tolerance = 8): Promise<void> {
  const found = await colorsAt(path)
  const wanted = quarters.map((hex) => [...Buffer.from(hex.slice(1), 'hex')])
  const distance = found.map((color, quarter) =>
    Math.max(
      ...color.map((value, channel) => Math.abs(value - (wanted[quarter]?.[channel] ?? -999))),
    ),
  )
  expect(Math.max(...distance)).toBeLessThanOrEqual(tolerance)
}
