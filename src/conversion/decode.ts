import sharp, { type Raw, type Sharp, type SharpOptions } from 'sharp'
import { messageOf } from '../errors.ts'
import { corruptImage } from './failures.ts'
import type { Inspected } from './inspect.ts'
import { pixelsOf, type Size } from './size.ts'

/** Upright sRGB pixels without any metadata, one byte per sample, alpha not premultiplied. */
export interface Raster extends Size {
  readonly data: Buffer
  readonly channels: Raw['channels']
}

/** What a decoder reads, and how. */
export type Input = Pick<Inspected, 'source'> &
  Size &
  Readonly<SharpOptions> & {
    /** Its alpha channel, if there is one, says nothing. */
    readonly isOpaque?: boolean
  }

/**
 * Decodes a picture once, to exactly `size`; every still is made from the result. Colours become
 * sRGB; where the file's colour profile makes no sense, they are taken for sRGB. What some phones
 * write wrong without any harm to the picture is overlooked.
 * @throws AppError `corrupt-image` (422).
 */
export async function decode(input: Input, size: Size): Promise<Raster> {
  try {
    return await decodeTo(input, size)
  } catch (error) {
    const leniency = leniencyFor(error)
    const isNew = Object.keys(leniency).some((option) => !(option in input))
    if (isNew) return decode({ ...input, ...leniency }, size)
    throw corruptImage(error)
  }
}

/** A raster as the input of a new pipeline. */
export function fromRaster({ data, width, height, channels }: Raster): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

/** An input as a pipeline that stops at the first thing wrong with it. */
export function openInput({ source, width, height, isOpaque, ...options }: Input): Sharp {
  const image = sharp(source, {
    autoOrient: true,
    failOn: 'warning',
    // What was admitted, and no more, should the decoder find something else than the header said.
    limitInputPixels: pixelsOf({ width, height }),
    ...options,
  })
  return isOpaque ? image.removeAlpha() : image
}

async function decodeTo(input: Input, { width, height }: Size): Promise<Raster> {
  const { data, info } = await openInput(input)
    .resize(width, height, { fit: 'fill' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels }
}

/** How to go on all the same; nothing where the picture itself is at fault. */
function leniencyFor(error: unknown): Pick<SharpOptions, 'ignoreIcc' | 'failOn'> {
  const said = messageOf(error)
  if (/\bicc|profile|lcms|cms\b/i.test(said)) return { ignoreIcc: true }
  // Cameras of Samsung phones write these, which a sequential JPEG has no use for (lovell/sharp#1578).
  // A picture that is cut off is an error still.
  if (/invalid SOS parameters for sequential/i.test(said)) return { failOn: 'error' }
  return {}
}
