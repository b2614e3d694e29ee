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
  'image/svg+xml',
  'image/heic',
  'image/heic-sequence',
  'image/heif',
  'image/heif-sequence',
])

const formatNames: Readonly<Record<string, string>> = {
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

/** Why an image cannot be converted: a stable code, and words for its owner. */
export interface Refusal {
  readonly code: 'not-an-image' | 'unsupported-format'
  readonly message: string
}

export interface Examined extends Sniffed {
  /** As far as the first bytes tell. */
  readonly refusal: Refusal | undefined
}

/** What a file is by its first bytes, and whether converting it is worth a try. Never throws. */
export async function examine(head: Buffer): Promise<Examined> {
  const sniffed = await sniff(head)
  return { ...sniffed, refusal: refusalOf(head, sniffed) }
}

/**
 * The media type of an image that can be converted.
 * @throws AppError with the code of the refusal, 422, for anything else.
 */
export async function requireConvertible(head: Buffer): Promise<string> {
  const { refusal, contentType = '' } = await examine(head)
  if (refusal) throw refused(refusal)
  return contentType
}

/** A refusal as an error (422). */
function refused({ code, message }: Refusal): AppError {
  return new AppError(code, 422, message)
}

function refusalOf(head: Buffer, { contentType, image }: Sniffed): Refusal | undefined {
  if (head.length === 0) return { code: 'not-an-image', message: 'The file is empty.' }
  if (image === 'unsupported') return unsupportedFormat(contentType ?? '')
  if (image === 'convertible') return undefined
  const found = contentType ? `; it looks like ${contentType}` : ''
  return { code: 'not-an-image', message: `The file is not an image${found}.` }
}

/** The refusal of an image whose format is known but not converted. */
function unsupportedFormat(contentType: string): Refusal {
  const name = formatNames[contentType] ?? contentType.replace(/^image\/(x-)?/, '').toUpperCase()
  return {
    code: 'unsupported-format',
    message: `${name} images cannot be converted; JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG and HEIC can.`,
  }
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
  if (!/^(?:\xEF\xBB\xBF)?\s*</.test(head.toString('latin1'))) return false
  // No two parts of it can take the same spaces: on many of them it would try all divisions.
  const prolog = /^(?:\uFEFF|\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>[]*(?:\[[^\]]*\]\s*)?>)/is
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
