/** What a file is, from its bytes; its name and what a client says about it count for nothing. */
import { fileTypeFromBuffer } from 'file-type'
import { AppError } from '../errors.ts'

export interface Sniffed {
  /** Media type; undefined for bytes that no known format begins with, such as plain text. */
  readonly contentType: string | undefined
  readonly image: 'convertible' | 'unsupported' | 'no'
}

/** How many bytes from a file's start `sniff` wants; it makes do with fewer of a shorter file. */
export const headSize = 4_100

const convertible = new Set([
  'image/jpeg',
  'image/png',
  'image/apng',
  'image/webp',
  'image/gif',
  'image/avif',
  'image/tiff',
])

const formatNames: Readonly<Record<string, string>> = {
  'image/svg+xml': 'SVG',
  'image/heic': 'HEIC',
  'image/heic-sequence': 'HEIC',
  'image/heif': 'HEIF',
  'image/heif-sequence': 'HEIF',
  'image/jxl': 'JPEG XL',
  'image/vnd.adobe.photoshop': 'Photoshop',
  'image/x-icon': 'Icon',
}

/**
 * Tells from a file's first bytes what it is and whether it can be converted. Does no I/O and never
 * throws: bytes that make no sense are `no` image.
 */
export async function sniff(head: Buffer): Promise<Sniffed> {
  const contentType = await contentTypeOf(head)
  if (!contentType?.startsWith('image/')) return { contentType, image: 'no' }
  return { contentType, image: convertible.has(contentType) ? 'convertible' : 'unsupported' }
}

/**
 * Lets only images through that can be converted.
 * @throws AppError `not-an-image` or `unsupported-format`, both 422.
 */
export async function requireConvertible(head: Buffer): Promise<void> {
  if (head.length === 0) throw new AppError('not-an-image', 422, 'The file is empty.')
  const { contentType, image } = await sniff(head)
  if (image === 'no') {
    const found = contentType ? `; it looks like ${contentType}` : ''
    throw new AppError('not-an-image', 422, `The file is not an image${found}.`)
  }
  if (image === 'unsupported') throw unsupportedFormat(contentType ?? '')
}

/** The refusal of an image whose format is known but not converted. */
export function unsupportedFormat(contentType: string): AppError {
  const name = formatNames[contentType] ?? contentType.replace(/^image\/(x-)?/, '').toUpperCase()
  return new AppError(
    'unsupported-format',
    422,
    `${name} images cannot be converted; JPEG, PNG, WebP, GIF, AVIF and TIFF can.`,
  )
}

async function contentTypeOf(head: Buffer): Promise<string | undefined> {
  if (isSvg(head)) return 'image/svg+xml'
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  if (found?.mime.startsWith('image/heif') && hasAvifBrand(head)) return 'image/avif'
  // A TIFF may keep its directory at the end of the file, where the library would look for it.
  if (!found && isTiff(head)) return 'image/tiff'
  return found?.mime
}

/** Whether the root element is `svg`, behind any declarations and comments. */
function isSvg(head: Buffer): boolean {
  const prolog = /^(?:\uFEFF|\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>[]*(?:\[[^\]]*\])?\s*>)/is
  let text = head.toString('utf8')
  for (let match = prolog.exec(text); match; match = prolog.exec(text)) {
    text = text.slice(match[0].length)
  }
  return /^<(?:\w+:)?svg[\s/>]/i.test(text)
}

/** A file of the generic brand `mif1` is AVIF when its compatible brands say so (AV1 Image File Format, 6). */
function hasAvifBrand(head: Buffer): boolean {
  const brands = head.toString('latin1', 16, Math.min(head.readUInt32BE(0), head.length))
  return /^(?:.{4})*?avi[fs]/s.test(brands)
}

function isTiff(head: Buffer): boolean {
  const magic = head.toString('latin1', 0, 4)
  return ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(magic)
}
