import sharp, { type Raw, type Sharp } from 'sharp'
import { AppError, messageOf } from '../errors.ts'
import type { Size } from './size.ts'

/** Upright sRGB pixels without any metadata, one byte per sample, alpha not premultiplied. */
export interface Raster extends Size {
  readonly data: Buffer
  readonly channels: Raw['channels']
}

/**
 * Decodes a file once, to exactly `size`; every rendition is made from the result.
 * @throws AppError `corrupt-image` (422).
 */
export async function decode(input: string, original: Size, size: Size): Promise<Raster> {
  try {
    const { data, info } = await sharp(input, {
      autoOrient: true,
      failOn: 'warning',
      // What was admitted, and no more, should the decoder find something else than the header said.
      limitInputPixels: original.width * original.height,
    })
      .resize(size.width, size.height, { fit: 'fill' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return { data, width: info.width, height: info.height, channels: info.channels }
  } catch (error) {
    throw corruptImage(error)
  }
}

/** A raster as the input of a new pipeline. */
export function fromRaster({ data, width, height, channels }: Raster): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

/** The failure behind what a decoder said, which is kept as the cause. */
export function corruptImage(cause: unknown): AppError {
  const said = messageOf(cause)
  if (/out of memory|unable to (?:al)?locate|cannot allocate/i.test(said)) {
    return new AppError('conversion-failed', 503, 'There was not enough memory for the image.', {
      cause,
    })
  }
  const incomplete = /premature|truncat|unexpected end|end of file|bad seek/i.test(said)
  return new AppError(
    'corrupt-image',
    422,
    incomplete
      ? 'The image is incomplete: the file ends before the picture does.'
      : 'The image is damaged and cannot be read.',
    { cause },
  )
}
