/**
 * The floor: what sharp takes to turn a photograph into the default presets. It decodes once, makes
 * every rendition from that and writes it to a file; it checks, hashes, syncs and records nothing.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Raw, type Sharp } from 'sharp'
import { z } from 'zod'
import type { Preset, RenditionFormat } from '../../../../src/conversion/contract.ts'
import { defaultPresets } from '../../../../src/conversion/presets.ts'

const jobSchema = z.object({ input: z.string(), directory: z.string() })

const encoders: Readonly<
  Record<RenditionFormat, (image: Sharp, quality: number | undefined) => Sharp>
> = {
  webp: (image, quality) => image.webp({ quality, effort: 4 }),
  avif: (image, quality) => image.avif({ quality, effort: 2 }),
  jpeg: (image, quality) => image.jpeg({ quality, progressive: true }),
  png: (image, quality) => image.png({ quality }),
}

interface Copy {
  readonly data: Buffer
  readonly raw: Raw
}

/** @returns the bytes of all renditions. */
async function convert(input: string, directory: string): Promise<number> {
  const copy = await decode(input)
  const encoded = new Map<string, Promise<Buffer>>()
  let total = 0
  for (const preset of defaultPresets) {
    for (const format of preset.formats) {
      // What two presets have in common is made once.
      const work = `${preset.width} × ${preset.height} ${format} ${preset.quality[format]}`
      const encoding = encoded.get(work) ?? encode(copy, preset, format)
      encoded.set(work, encoding)
      const bytes = await encoding
      await writeFile(join(directory, `${preset.name}.${format}`), bytes)
      total += bytes.length
    }
  }
  return total
}

async function decode(input: string): Promise<Copy> {
  const { data, info } = await sharp(input, { autoOrient: true })
    .resize({
      width: Math.max(...defaultPresets.map(({ width }) => width)),
      height: Math.max(...defaultPresets.map(({ height }) => height)),
      fit: 'inside',
      withoutEnlargement: true,
    })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  return { data, raw: { width, height, channels } }
}

function encode(
  { data, raw }: Copy,
  { width, height, fit, quality }: Preset,
  format: RenditionFormat,
): Promise<Buffer> {
  const image = sharp(data, { raw }).resize({ width, height, fit, withoutEnlargement: true })
  return encoders[format](image, quality[format]).toBuffer()
}

sharp.concurrency(1)
sharp.cache(false)
process.on('message', (message) => {
  const { input, directory } = jobSchema.parse(message)
  void convert(input, directory).then((bytes) => process.send?.({ bytes }))
})
process.on('disconnect', () => process.exit())
