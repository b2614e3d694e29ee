import { open, readFile, stat } from 'node:fs/promises'
import sharp, { type Metadata } from 'sharp'
import { messageOf } from '../errors.ts'
import { corruptImage, unsupportedCodec } from './failures.ts'
import { headSize, requireConvertible } from './sniff.ts'
import { grouped, megabytes, tooLarge } from './too-large.ts'

/** What a file's header says, before any pixel is decoded. */
export interface Inspected {
  /** `jpeg`, `png`, `webp`, `gif`, `avif`, `tiff`, `svg`, `heic`. */
  readonly format: string
  /** Of HEIF, as far as it is known: `hevc`, `av1` and others. */
  readonly codec: string | undefined
  /** Pixels as a person sees them, after orientation. */
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly bytesPerSample: number
  /** A progressive JPEG or an interlaced PNG: nothing can be shown before all of it is decoded. */
  readonly progressive: boolean
  /** Of an animation; 1 for anything else, also for a document of many pages. */
  readonly frames: number
  /** Pictures in the file that are no frames of an animation. */
  readonly pages: number
  /** Of the file. */
  readonly fileBytes: number
  /** As the file has them, if it does. */
  readonly exif: Buffer | undefined
  readonly icc: Buffer | undefined
  /** What decoders are given: the file's path, or its bytes where a path would let them look around. */
  readonly source: string | Buffer
}

/** Bytes. Larger drawings are no drawings but data in disguise, and all of one has to be in memory. */
const largestSvg = 10_000_000

/** Pixels, of libvips. */
const longestCoordinate = 100_000_000

/**
 * Reads a file's header.
 * @throws AppError `not-an-image`, `unsupported-format`, `corrupt-image` or `image-too-large`;
 *   system errors as they are.
 */
export async function inspect(input: string): Promise<Inspected> {
  const contentType = await requireConvertible(await readHead(input))
  const { size: fileBytes } = await stat(input)
  const source = contentType === 'image/svg+xml' ? await readSvg(input, fileBytes) : input
  const metadata = await readMetadata(source, contentType)
  const { autoOrient, channels, isProgressive, exif, icc } = metadata
  const { width, height } = autoOrient
  const pages = metadata.pages ?? 1
  const moves = metadata.format === 'gif' || metadata.format === 'webp'
  return {
    format: formatOf(metadata),
    codec: metadata.compression,
    width,
    height,
    channels,
    bytesPerSample: bytesPerSample[metadata.depth] ?? 8,
    progressive: isProgressive,
    frames: moves ? pages : 1,
    pages: moves ? 1 : pages,
    fileBytes,
    exif,
    icc,
    source,
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

function formatOf({ format, compression }: Metadata): string {
  if (format !== 'heif') return format
  return compression === 'av1' ? 'avif' : 'heic'
}

async function readHead(input: string): Promise<Buffer> {
  await using file = await open(input)
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(headSize) })
  return buffer.subarray(0, bytesRead)
}

async function readSvg(input: string, size: number): Promise<Buffer> {
  if (size > largestSvg) {
    throw tooLarge(
      `The SVG file has ${megabytes(size)}; at most ${megabytes(largestSvg)} are read.`,
    )
  }
  const svg = await readFile(input)
  checkDeclaredSize(svg)
  return svg
}

/**
 * What the renderer cannot count to it takes for one pixel, and so it does what is negative: a
 * picture that nobody would recognise.
 */
function checkDeclaredSize(svg: Buffer): void {
  const root = /<(?:[\w-]+:)?svg\b[^>]*>/i.exec(svg.toString('utf8', 0, headSize))?.[0] ?? ''
  const [, , boxWidth, boxHeight] = attributeOf(root, 'viewBox')?.split(/[\s,]+/) ?? []
  checkSide('width', attributeOf(root, 'width') ?? boxWidth)
  checkSide('height', attributeOf(root, 'height') ?? boxHeight)
}

function attributeOf(tag: string, name: string): string | undefined {
  return new RegExp(`\\s${name}\\s*=\\s*["']\\s*([^"']*)`).exec(tag)?.[1]
}

function checkSide(name: string, value = '1'): void {
  const side = Number.parseFloat(value)
  if (side < 0) throw corruptImage(new Error(`${name}="${value}"`))
  if (side <= longestCoordinate || Number.isNaN(side)) return
  throw tooLarge(
    `The SVG image declares a ${name} of ${grouped(side)}; ` +
      `at most ${grouped(longestCoordinate)} pixels can be.`,
  )
}

async function readMetadata(source: string | Buffer, contentType: string): Promise<Metadata> {
  try {
    // No pixel is decoded here; admission judges the size with a message that names the numbers.
    return await sharp(source, { limitInputPixels: false }).metadata()
  } catch (error) {
    const isHeif = /^image\/hei[cf]/.test(contentType)
    if (isHeif && /unsupported/i.test(messageOf(error))) throw unsupportedCodec(undefined, error)
    throw corruptImage(error)
  }
}
