import exifReader from 'exif-reader'

type Exif = Readonly<Record<string, unknown>>
type Tag = readonly [name: string, value: string | number | number[]]

/** Longer texts and lists are not facts about a photograph but somebody's payload. */
const longestText = 2_000
const longestList = 64

/**
 * Characters of JSON, of all tags together. A camera writes a few thousand; but entries may all point
 * to the same text, so that a small file says megabytes, in every list of images that it is in.
 */
const mostText = 65_536

/**
 * Camera data as JSON can hold it, grouped as EXIF groups it (`Image`, `Photo`, `GPSInfo`, …).
 * Times are ISO 8601 without a zone, because EXIF knows none. Binary values, numbers that are not
 * finite and very long values are left out, and so is what comes when there is enough; a broken block
 * is undefined.
 */
export function readExif(block: Buffer | undefined): Exif | undefined {
  if (!block) return undefined
  let room = mostText
  const fits = (tag: Tag) => {
    room -= JSON.stringify(tag).length
    return room >= 0
  }
  const groups = Object.entries(parse(block)).flatMap(([group, tags]) => {
    const kept = isRecord(tags) ? Object.fromEntries(cleanTags(tags).filter(fits)) : {}
    return Object.keys(kept).length > 0 ? [[group, kept] as const] : []
  })
  return groups.length > 0 ? Object.fromEntries(groups) : undefined
}

/**
 * The part of `readExif`'s result that others than the owner may see: what was photographed with
 * and how. A list of what is kept rather than of what is removed, so that position, names, serial
 * numbers, comments, maker notes and tags nobody knows stay private.
 */
export function publicExif(exif: Exif | undefined): Exif | undefined {
  const groups = Object.entries(publicTags).flatMap(([group, names]) => {
    const tags = exif?.[group]
    if (!isRecord(tags)) return []
    const kept = Object.entries(tags).filter(([name]) => names.includes(name))
    return kept.length > 0 ? [[group, Object.fromEntries(kept)] as const] : []
  })
  return groups.length > 0 ? Object.fromEntries(groups) : undefined
}

const publicTags: Readonly<Record<string, readonly string[]>> = {
  Image: ['Make', 'Model', 'Software', 'DateTime'],
  Photo: [
    'DateTimeOriginal',
    'DateTimeDigitized',
    'ExposureTime',
    'FNumber',
    'ExposureProgram',
    'ISOSpeedRatings',
    'PhotographicSensitivity',
    'ShutterSpeedValue',
    'ApertureValue',
    'MaxApertureValue',
    'BrightnessValue',
    'ExposureBiasValue',
    'MeteringMode',
    'LightSource',
    'Flash',
    'FocalLength',
    'FocalLengthIn35mmFilm',
    'ColorSpace',
    'PixelXDimension',
    'PixelYDimension',
    'ExposureMode',
    'WhiteBalance',
    'DigitalZoomRatio',
    'SceneCaptureType',
    'Contrast',
    'Saturation',
    'Sharpness',
    'LensMake',
    'LensModel',
    'LensSpecification',
  ],
}

function parse(block: Buffer): object {
  try {
    return exifReader(block)
  } catch {
    return {}
  }
}

function cleanTags(tags: Exif): Tag[] {
  return Object.entries(tags).flatMap(([name, value]) => {
    const clean = cleanValue(value)
    return clean === undefined ? [] : [[name, clean] as const]
  })
}

function cleanValue(value: unknown): Tag[1] | undefined {
  if (typeof value === 'string') return cleanText(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? undefined : value.toISOString().replace(/\.000Z$/, '')
  }
  if (!Array.isArray(value) || value.length > longestList) return undefined
  const numbers = value.filter((item) => Number.isFinite(item))
  return numbers.length === value.length && numbers.length > 0 ? numbers : undefined
}

/** Without the NULs that cameras pad with and PostgreSQL refuses. */
function cleanText(text: string): string | undefined {
  const clean = text.replaceAll('\0', '').trim().toWellFormed()
  return clean.length > 0 && clean.length <= longestText ? clean : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
