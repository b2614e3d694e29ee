import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConvertedRendition, Converter, Preset } from '../../src/conversion/contract.ts'
import { createConverter } from '../../src/conversion/pool.ts'
import { defaultPresets } from '../../src/conversion/presets.ts'
import * as images from '../fixtures/images.ts'
import { testPreset } from '../support/presets.ts'
import { expectScene as expectSceneIn } from '../support/scene.ts'

let root: string
let converter: Converter
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'landfall-conversion-'))
  converter = createConverter({ concurrency: 2, memory: 2 ** 30 })
})

afterAll(async () => {
  await converter.close()
  await rm(root, { recursive: true })
})

const preset = (over: Partial<Preset> = {}) =>
  testPreset({ width: 120, height: 120, formats: ['png'], ...over })

/** Converts bytes; the file's name says nothing about them. */
async function convert(bytes: Buffer, ...presets: Preset[]) {
  count += 1
  const outputDirectory = join(root, `out-${count}`)
  const input = join(root, `original-${count}.jpg`)
  await mkdir(outputDirectory)
  await writeFile(input, bytes)
  const request = { input, outputDirectory, presets: presets.length > 0 ? presets : [preset()] }
  const result = await converter.convert(request, new AbortController().signal)
  return { ...result, outputDirectory }
}

const expectScene = (rendition?: ConvertedRendition) => expectSceneIn(rendition?.path ?? '')

describe('an original', () => {
  it.each([
    ['jpeg', 'JPEG', images.jpeg],
    ['jpeg', 'progressive JPEG', () => images.jpeg({ progressive: true })],
    ['png', 'PNG', images.png],
    ['png', 'PNG of sixteen bits', images.deepPng],
    ['webp', 'WebP', images.webp],
    ['gif', 'GIF', images.gif],
    ['avif', 'AVIF', images.avif],
    ['tiff', 'TIFF', images.tiff],
    ['gif', 'animated GIF, its first frame,', () => images.animated('gif')],
    ['webp', 'animated WebP, its first frame,', () => images.animated('webp')],
    ['jpeg', 'Display P3 JPEG', images.displayP3Jpeg],
  ])('of format %s (a %s) is converted with its colours', async (format, _name, make) => {
    const result = await convert(await make({}))
    expect(result).toMatchObject({ format, width: 300, height: 200 })
    expect(result.renditions[0]).toMatchObject({ width: 120, height: 80 })
    await expectScene(result.renditions[0])
  })

  it.each([
    ['in CMYK', images.cmykJpeg],
    ['in grey', images.greyJpeg],
  ])('%s becomes sRGB', async (_name, make) => {
    const { renditions } = await convert(await make())
    const metadata = await sharp(renditions[0]?.path).metadata()
    expect(metadata).toMatchObject({ space: 'srgb', channels: 3 })
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('of orientation %i comes out upright', async (orientation) => {
    const result = await convert(await images.jpeg({ orientation }))
    expect(result).toMatchObject({ width: 300, height: 200 })
    expect(result.renditions[0]).toMatchObject({ width: 120, height: 80 })
    await expectScene(result.renditions[0])
  })

  it('has its EXIF read, with what only the owner may see', async () => {
    const { exif } = await convert(await images.jpeg({ orientation: 6 }))
    expect(exif).toMatchObject({
      Image: { Make: images.camera.make },
      GPSInfo: { GPSLatitude: [51, 28, 38] },
    })
  })

  it('without EXIF has none', async () => {
    expect((await convert(await images.png())).exif).toBeUndefined()
  })

  it('has a placeholder and a dominant colour', async () => {
    const { thumbhash, color } = await convert(await images.png())
    expect(Buffer.from(thumbhash, 'base64').length).toBeGreaterThan(4)
    expect(images.quarters).toContain(color)
  })

  it('is left as it was', async () => {
    const bytes = await images.jpeg()
    await convert(bytes)
    expect(await readFile(join(root, `original-${count}.jpg`))).toEqual(bytes)
  })
})

describe('renditions', () => {
  it('of the default presets are what the result says they are', async () => {
    const { renditions, outputDirectory } = await convert(
      await images.jpeg({ width: 2_400, height: 1_601, orientation: 6 }),
      ...defaultPresets,
    )
    expect(renditions.map(({ preset, width, height }) => [preset, width, height])).toEqual([
      ['thumb', 320, 213],
      ['small', 640, 427],
      ['medium', 1280, 854],
      ['large', 2048, 1366],
      ['large', 2048, 1366],
      ['large-avif', 2048, 1366],
    ])
    for (const rendition of renditions) {
      const bytes = await readFile(rendition.path)
      const { width, height, format } = await sharp(bytes).metadata()
      expect({ width, height }).toEqual({ width: rendition.width, height: rendition.height })
      expect(format === 'heif' ? 'avif' : format).toBe(rendition.format)
      expect(rendition.contentType).toBe(`image/${rendition.format}`)
      expect(rendition.size).toBe(bytes.length)
      expect(rendition.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    }
    expect((await readdir(outputDirectory)).length).toBe(renditions.length)
  })

  it('are never enlarged', async () => {
    const { renditions } = await convert(await images.png({ width: 30, height: 20 }))
    expect(renditions[0]).toMatchObject({ width: 30, height: 20 })
  })

  it('carry no EXIF, position or profile, in any format', async () => {
    const formats = ['webp', 'avif', 'jpeg', 'png'] as const
    const { renditions } = await convert(await images.jpeg(), preset({ formats }))
    expect(renditions.map(({ format }) => format)).toEqual(formats)
    for (const { path } of renditions) {
      const metadata = await sharp(path).metadata()
      expect(metadata).toMatchObject({ space: 'srgb' })
      expect([metadata.exif, metadata.xmp, metadata.iptc, metadata.icc]).toEqual(
        Array(4).fill(undefined),
      )
      const bytes = (await readFile(path)).toString('latin1')
      expect(bytes).not.toContain(images.camera.serial)
      expect(bytes).not.toContain(images.camera.make)
    }
  })

  it('keep transparency where the format can and are white where it cannot', async () => {
    const formats = ['webp', 'jpeg'] as const
    const { renditions } = await convert(await images.transparentPng(), preset({ formats }))
    const pixel = async (path = '') => [...(await sharp(path).raw().toBuffer()).subarray(0, 4)]
    const [red, green, blue, alpha] = await pixel(renditions[0]?.path)
    expect(red).toBeGreaterThan(250)
    expect(Math.max(green ?? 255, blue ?? 255)).toBeLessThan(5)
    expect(alpha).toBe(128)
    const [, faded] = await pixel(renditions[1]?.path)
    expect(faded).toBeGreaterThan(120)
    expect(faded).toBeLessThan(135)
  })

  it('of a line of one pixel still have a height', async () => {
    const { renditions } = await convert(await images.png({ width: 5_000, height: 3 }))
    expect(renditions[0]).toMatchObject({ width: 120, height: 1 })
  })
})

describe('a JPEG whose scan header is wrong, as some phones write it', () => {
  it('is converted, as the picture is whole', async () => {
    const { renditions } = await convert(await images.shoddyJpeg())
    await expectScene(renditions[0])
  })

  it('is refused when it lost its end as well', async () => {
    const bytes = await images.shoddyJpeg()
    const failure = convert(bytes.subarray(0, bytes.length * 0.7))
    await expect(failure).rejects.toMatchObject({ code: 'corrupt-image', status: 422 })
  })
})

describe('a file that cannot be converted', () => {
  it.each([
    ['that lost its end', images.truncatedJpeg, 'corrupt-image', /incomplete/],
    ['that is garbled', images.garbledJpeg, 'corrupt-image', /damaged|incomplete/],
    ['that is text', images.renamedText, 'not-an-image', /not an image/],
    ['that is empty', async () => Buffer.alloc(0), 'not-an-image', /empty/],
    ['that is BMP', async () => Buffer.from('BM0123456789'), 'unsupported-format', /BMP/],
    ['of 3,600 megapixels', images.boastingPng, 'image-too-large', /60,000 × 60,000/],
    [
      'that needs too much memory',
      () => images.hugePng({ interlaced: true }),
      'image-too-large',
      /MiB/,
    ],
  ])('%s is refused for good, in words for its owner', async (_name, make, code, message) => {
    const failure = convert(await make())
    await expect(failure).rejects.toMatchObject({
      code,
      status: 422,
      message: expect.stringMatching(message),
    })
    await expect(failure).rejects.not.toThrow(/vips|libpng|heif:/i)
  })

  it('says what the decoder said, as the cause', async () => {
    await expect(convert(await images.truncatedJpeg())).rejects.toMatchObject({
      cause: expect.stringContaining('premature end'),
    })
  })

  it('is worth another try when it only could not be read', async () => {
    const request = { input: join(root, 'absent'), outputDirectory: root, presets: [preset()] }
    const failure = converter.convert(request, new AbortController().signal)
    await expect(failure).rejects.toMatchObject({ code: 'conversion-failed', status: 503 })
  })

  it('is worth another try when its renditions could not be written', async () => {
    const input = join(root, 'good')
    await writeFile(input, await images.png())
    const request = { input, outputDirectory: join(root, 'absent'), presets: [preset()] }
    const failure = converter.convert(request, new AbortController().signal)
    await expect(failure).rejects.toMatchObject({ code: 'conversion-failed', status: 503 })
  })
})

it('400 megapixels that are decoded row by row are converted', async () => {
  const result = await convert(await images.hugePng())
  expect(result).toMatchObject({ width: 20_000, height: 20_000, color: '#0088cc' })
})
