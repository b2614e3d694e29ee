import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { Sharp } from 'sharp'
import type { ConvertedRendition, Preset, RenditionFormat } from './contract.ts'
import { fromRaster, type Raster } from './decode.ts'
import { renditionPath } from './rendition-path.ts'
import { fitInside, type Size } from './size.ts'

interface Encoder {
  readonly contentType: string
  encode(image: Sharp, quality: number | undefined): Sharp
}

const encoders: Readonly<Record<RenditionFormat, Encoder>> = {
  webp: {
    contentType: 'image/webp',
    encode: (image, quality) => image.webp({ quality, effort: 4 }),
  },
  avif: {
    contentType: 'image/avif',
    // The encoder's own default of 4 takes four times as long for a few percent of size.
    encode: (image, quality) => image.avif({ quality, effort: 2 }),
  },
  jpeg: {
    contentType: 'image/jpeg',
    encode: (image, quality) =>
      image.flatten({ background: '#ffffff' }).jpeg({ quality, progressive: true }),
  },
  png: {
    contentType: 'image/png',
    encode: (image, quality) => image.png({ quality }),
  },
}

/**
 * Writes every format of a preset into `directory`. The size follows from the original, not from
 * the raster, so that rounding twice does not shift it.
 */
export async function writeRenditions(
  raster: Raster,
  original: Size,
  preset: Preset,
  directory: string,
): Promise<ConvertedRendition[]> {
  const size = fitInside(original, preset)
  const renditions: ConvertedRendition[] = []
  for (const format of preset.formats) {
    const bytes = await encode(raster, size, format, preset.quality[format])
    const path = renditionPath(directory, preset.name, format)
    await writeFile(path, bytes)
    renditions.push({
      preset: preset.name,
      format,
      contentType: encoders[format].contentType,
      ...size,
      frames: 1,
      size: bytes.length,
      path,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })
  }
  return renditions
}

function encode(
  raster: Raster,
  { width, height }: Size,
  format: RenditionFormat,
  quality: number | undefined,
): Promise<Buffer> {
  const image = fromRaster(raster).resize(width, height, { fit: 'fill' })
  return encoders[format].encode(image, quality).toBuffer()
}
