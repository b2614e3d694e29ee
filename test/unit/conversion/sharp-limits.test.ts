import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { limitSharp } from '../../../src/conversion/sharp-limits.ts'
import * as images from '../../fixtures/images.ts'

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'landfall-limits-'))
  const files = {
    'a.jpeg': await images.jpeg(),
    'a.png': await images.png(),
    'a.webp': await images.webp(),
    'a.gif': await images.gif(),
    'a.avif': await images.avif(),
    'a.tiff': await images.tiff(),
    'a.svg': Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    'a.ppm': Buffer.from('P6 1 1 255\nabc'),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(directory, name), bytes)
  limitSharp()
})

afterAll(() => rm(directory, { recursive: true }))

it.each(['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'])('%s can be decoded', async (format) => {
  const image = sharp(join(directory, `a.${format}`))
  expect((await image.raw().toBuffer()).length).toBeGreaterThan(0)
})

it('SVG can be rendered from memory', async () => {
  const bytes = await readFile(join(directory, 'a.svg'))
  expect((await sharp(bytes).raw().toBuffer()).length).toBe(9 * 9 * 4)
})

it.each(['svg', 'ppm'])(
  'a file of %s cannot be opened, whatever let it through',
  async (format) => {
    await expect(sharp(join(directory, `a.${format}`)).metadata()).rejects.toThrow('unsupported')
  },
)
