import { AppError } from '../errors.ts'
import type { Inspected } from './inspect.ts'
import { fitInside, type Size } from './size.ts'

/** No image of more pixels is decoded, whatever memory there is: it would take minutes. */
export const maxPixels = 1_000_000_000

/** A process with sharp loaded, some jobs old. */
const processBytes = 150 * 2 ** 20
/** Rows that are in flight between a decoder that works from top to bottom and the resizer. */
const rowsInFlight = 2_048
const copyBytesPerPixel = 4
/** Per pixel of the largest rendition, while the AVIF encoder works on it. */
const encodeBytesPerPixel = 40

/**
 * The bytes of memory it takes to convert an image whose decoded copy fits into `box`. Measured with
 * the decoders of libvips 8.18 and rounded up: what decides is not the pixels alone but whether the
 * decoder has to hold the whole frame. By the time of encoding, the frame is gone.
 */
export function estimateMemory(image: Inspected, box: Size): number {
  const copy = fitInside(image, box)
  const copyPixels = copy.width * copy.height
  const pixels = image.width * image.height
  const sampleBytes = image.channels * image.bytesPerSample
  const longestRow = Math.max(image.width, image.height)
  const rows = Math.min(rowsInFlight * longestRow, pixels) * sampleBytes
  const decoding = rows + pixels * frameBytesPerPixel(image) + copyPixels * copyBytesPerPixel
  return processBytes + Math.max(decoding, copyPixels * encodeBytesPerPixel)
}

/** What the decoder of a format holds per pixel of the whole frame; 0 when it holds rows only. */
function frameBytesPerPixel(image: Inspected): number {
  const sample = image.channels * image.bytesPerSample
  switch (image.format) {
    case 'jpeg':
      return image.progressive ? 2 * image.channels : 0
    case 'png':
      return image.progressive ? sample : 0
    // One strip may hold the whole picture, and the header does not say.
    case 'tiff':
      return sample
    case 'webp':
      return 6
    case 'gif':
      return 7
    default:
      return 17 * image.bytesPerSample
  }
}

/**
 * Lets an image through that can be decoded within `memory` bytes.
 * @throws AppError `image-too-large` (422).
 */
export function admit(image: Inspected, box: Size, memory: number): void {
  const size = `${grouped(image.width)} × ${grouped(image.height)} pixels`
  const pixels = image.width * image.height
  if (pixels > maxPixels) {
    throw tooLarge(
      `The image has ${size} (${grouped(Math.ceil(pixels / 1e6))} megapixels); ` +
        `at most ${grouped(maxPixels / 1e6)} megapixels can be converted.`,
    )
  }
  const needed = estimateMemory(image, box)
  if (needed > memory) {
    throw tooLarge(
      `Converting this ${kind(image)} of ${size} would take about ${mebibytes(needed)} of memory; ` +
        `${mebibytes(memory)} are allowed.`,
    )
  }
}

function tooLarge(message: string): AppError {
  return new AppError('image-too-large', 422, message)
}

function kind({ format, progressive }: Inspected): string {
  const name = format === 'webp' ? 'WebP' : format.toUpperCase()
  if (!progressive) return `${name} image`
  return format === 'png' ? 'interlaced PNG image' : `progressive ${name} image`
}

function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

function mebibytes(bytes: number): string {
  return `${grouped(Math.ceil(bytes / 2 ** 20))} MiB`
}
