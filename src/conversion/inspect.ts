import { open } from 'node:fs/promises'
import sharp, { type Metadata } from 'sharp'
import { AppError } from '../errors.ts'
import { corruptImage } from './decode.ts'
import { headSize, refused, requireConvertible, unsupportedFormat } from './sniff.ts'

/** What a file's header says, before any pixel is decoded. */
export interface Inspected {
  /** `jpeg`, `png`, `webp`, `gif`, `avif`, `tiff`. */
  readonly format: string
  /** Pixels as a person sees them, after orientation. */
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly bytesPerSample: number
  /** A progressive JPEG or an interlaced PNG: nothing can be shown before all of it is decoded. */
  readonly progressive: boolean
  /** As the EXIF block has it, if there is one. */
  readonly exif: Buffer | undefined
}

/**
 * Reads a file's header.
 * @throws AppError `not-an-image`, `unsupported-format` or `corrupt-image`; system errors as they are.
 */
export async function inspect(input: string): Promise<Inspected> {
  await requireConvertible(await readHead(input))
  const metadata = await readMetadata(input)
  if (metadata.format === 'heif' && metadata.compression !== 'av1') {
    throw refused(unsupportedFormat('image/heic'))
  }
  return {
    format: metadata.format === 'heif' ? 'avif' : metadata.format,
    width: metadata.autoOrient.width,
    height: metadata.autoOrient.height,
    channels: metadata.channels,
    bytesPerSample: bytesPerSample[metadata.depth] ?? 8,
    progressive: metadata.isProgressive,
    exif: metadata.exif,
  }
}

const bytesPerSample: Readonly<Record<string, number>> = {
  uchar: 1,
  char: 1,
  short: 2,
  ushort: 2,
  int: 4,
  uint: 4,
  float: 4,
}

async function readHead(input: string): Promise<Buffer> {
  await using file = await open(input)
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(headSize) })
  return buffer.subarray(0, bytesRead)
}

async function readMetadata(input: string): Promise<Metadata> {
  try {
    // No pixel is decoded here; admission judges the size with a message that names the numbers.
    return await sharp(input, { limitInputPixels: false }).metadata()
  } catch (error) {
    throw error instanceof AppError ? error : corruptImage(error)
  }
}
