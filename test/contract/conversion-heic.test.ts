import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Converter } from '../../src/conversion/contract.ts'
import { findHeifConvert } from '../../src/conversion/heif-convert.ts'
import { createConverter } from '../../src/conversion/pool.ts'
import * as images from '../fixtures/images.ts'
import { testPreset } from '../support/presets.ts'
import { colorsAt, expectScene } from '../support/scene.ts'

const found = findHeifConvert()
if (!found) console.log('heif-convert is not installed: HEIC is only decoded with WebAssembly')

const presets = [testPreset({ width: 120, height: 120, formats: ['png'] })]
const fixture = (name: string) => readFile(new URL(`../fixtures/heic/${name}`, import.meta.url))

describe.each([
  ['the program heif-convert', found],
  ['WebAssembly', null],
  ['WebAssembly after a program that fails', '/bin/false'],
])('HEIC decoded with %s', (name, heifConvert) => {
  const isMissing = heifConvert === null && !name.startsWith('WebAssembly')
  let root: string
  let converter: Converter

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'landfall-heic-'))
    converter = createConverter({ concurrency: 1, memory: 2 ** 30, heifConvert })
  })

  afterAll(async () => {
    await converter.close()
    await rm(root, { recursive: true })
  })

  async function convert(bytes: Buffer) {
    const outputDirectory = await mkdtemp(join(root, 'out-'))
    const input = join(root, 'original')
    await mkdir(outputDirectory, { recursive: true })
    await writeFile(input, bytes)
    const never = new AbortController().signal
    const result = await converter.convert({ input, outputDirectory, presets }, never)
    expect((await readdir(outputDirectory)).length).toBe(1)
    return { ...result, path: result.renditions[0]?.path ?? '' }
  }

  it.skipIf(isMissing).each(['plain', 'rotated', 'grid', 'display-p3'])(
    'shows %s.heic upright, with its colours',
    async (file) => {
      const result = await convert(await fixture(`${file}.heic`))
      expect(result).toMatchObject({ format: 'heic', width: 300, height: 200 })
      expect(result.renditions[0]).toMatchObject({ width: 120, height: 80 })
      expect((await sharp(result.path).metadata()).hasAlpha).toBe(false)
      await expectScene(result.path)
    },
  )

  it.skipIf(isMissing)('reads EXIF, and does not turn by it', async () => {
    const result = await convert(await fixture('exif.heic'))
    expect(result).toMatchObject({ width: 200, height: 300 })
    expect(result.exif).toMatchObject({ GPSInfo: { GPSLatitude: [51, 28, 38] } })
    // As the camera held sideways saw it.
    const [topLeft, topRight] = await colorsAt(result.path)
    expect(images.closest(topLeft)).toBe(images.quarters[1])
    expect(images.closest(topRight)).toBe(images.quarters[3])
  })

  it.skipIf(isMissing)('says that a file is damaged', async () => {
    const bytes = await fixture('plain.heic')
    const failure = convert(bytes.subarray(0, bytes.length - 120))
    await expect(failure).rejects.toMatchObject({ code: 'corrupt-image', status: 422 })
    expect(await readdir(root)).not.toContain('.decoded')
  })

  it.skipIf(isMissing)('says that a codec is not there', async () => {
    await expect(convert(await fixture('unknown-codec.heic'))).rejects.toMatchObject({
      code: 'unsupported-codec',
      status: 422,
      message: expect.stringContaining('HEIF'),
    })
  })
})
