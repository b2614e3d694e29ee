/**
 * What conversions were estimated to need, beside what they had at their highest. An estimate that is
 * too low costs an image: the watch ends what outgrows it.
 */
import { readFileSync } from 'node:fs'
import sharp, { type Sharp } from 'sharp'
import { expect, it } from 'vitest'
import type { Preset, RenditionFormat } from '../../src/conversion/contract.ts'
import * as images from '../fixtures/images.ts'
import { nestedGroups } from '../fixtures/svg.ts'
import { createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'

/** Only the decoder is to count. */
const presets = [testPreset({ width: 320, height: 320 })]
const moving = [testPreset({ width: 640, height: 640, animated: true })]
/** Megapixels: 12. */
const size = { width: 4_000, height: 3_000 }

const noise = (width: number, height: number) =>
  sharp({
    create: {
      ...{ width, height, channels: 3, background: '#888' },
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })

async function photo(finish: (image: Sharp) => Sharp): Promise<Buffer> {
  const small = await noise(400, 300).png().toBuffer()
  return finish(sharp(small).resize(size.width, size.height, { kernel: 'linear' })).toBuffer()
}

async function animation(finish: (image: Sharp) => Sharp): Promise<Buffer> {
  const frames = await Promise.all(
    Array.from({ length: 40 }, () => noise(320, 240).blur(2).png().toBuffer()),
  )
  return finish(sharp(frames, { join: { animated: true } })).toBuffer()
}

/** Only the encoder is to count. */
const into = (format: RenditionFormat, side = 4_000) => [
  testPreset({ width: side, height: side, formats: [format] }),
]
const opaque = () => photo((image) => image.jpeg())
const withAlpha = () => photo((image) => image.ensureAlpha(0.5).png({ compressionLevel: 1 }))

const cases: readonly (readonly [string, () => Promise<Buffer>, (readonly Preset[])?])[] = [
  ['JPEG', () => photo((image) => image.jpeg())],
  ['JPEG on its side', () => photo((image) => image.jpeg().withMetadata({ orientation: 6 }))],
  [
    'progressive JPEG',
    () => photo((image) => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' })),
  ],
  [
    'progressive JPEG on its side',
    () => photo((image) => image.jpeg({ progressive: true }).withMetadata({ orientation: 8 })),
  ],
  ['interlaced PNG', () => photo((image) => image.png({ progressive: true, compressionLevel: 1 }))],
  [
    'interlaced PNG of 16 bits',
    () =>
      photo((image) =>
        image.toColourspace('rgb16').png({ progressive: true, compressionLevel: 1 }),
      ),
  ],
  ['WebP', () => photo((image) => image.webp({ effort: 0 }))],
  ['lossless WebP', () => photo((image) => image.webp({ effort: 0, lossless: true }))],
  ['GIF', () => photo((image) => image.gif({ effort: 1, dither: 0, colors: 16 }))],
  ['AVIF', () => photo((image) => image.avif({ effort: 0 }))],
  ['TIFF in strips', () => photo((image) => image.tiff({ compression: 'none' }))],
  ['TIFF in tiles', () => photo((image) => image.tiff({ compression: 'none', tile: true }))],
  ['SVG', async () => Buffer.from(nestedGroups(1))],
  ['PNG of 400 megapixels', () => images.hugePng()],
  ['moving GIF', () => animation((image) => image.gif({ effort: 1, colors: 32 })), moving],
  ['moving WebP', () => animation((image) => image.webp({ effort: 0 })), moving],
  ['large WebP with alpha', withAlpha, into('webp')],
  ['large JPEG', opaque, into('jpeg')],
  ['large AVIF with alpha', withAlpha, into('avif', 1_600)],
]

it.skipIf(process.platform !== 'linux')(
  'no conversion needs more than was estimated',
  async () => {
    const rows: { what: string; estimated: number; had: number }[] = []
    for (const [what, make, asked = presets] of cases) {
      let found = { estimated: 0, had: 0 }
      const debug = (fields: object, message: string) => {
        if (message === 'conversion settled') found = memoryOf(fields)
      }
      // A process of its own for each, or it would show the highest of those before.
      await using converting = await createConverting({ logger: { debug, warn: debug } })
      await converting.convert(await make(), asked)
      rows.push({ what, ...found })
    }
    console.table(rows)
    expect(rows.filter(({ had, estimated }) => !(had > 0 && had <= estimated))).toEqual([])
  },
  180_000,
)

/** In MiB; the most it had is what the kernel says, which misses nothing between two looks. */
function memoryOf(fields: object): { estimated: number; had: number } {
  if (!('pid' in fields && 'admitted' in fields)) return { estimated: 0, had: 0 }
  const status = readFileSync(`/proc/${fields.pid}/status`, 'utf8')
  const kibibytes = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1])
  return {
    estimated: Math.round(Number(fields.admitted) / 2 ** 20),
    had: Math.round(kibibytes / 2 ** 10),
  }
}
