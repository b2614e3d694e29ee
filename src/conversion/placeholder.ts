import { rgbaToThumbHash } from 'thumbhash'
import { fromRaster, type Raster } from './decode.ts'
import { fitInside } from './size.ts'

/** The side of the copy a placeholder is made from, in pixels; more is more than ThumbHash takes. */
export const placeholderBox = { width: 100, height: 100 }

export interface Placeholder {
  /** Base64. */
  readonly thumbhash: string
  /** `#rrggbb` */
  readonly color: string
}

/** What a client shows until a rendition has arrived. */
export async function makePlaceholder(raster: Raster): Promise<Placeholder> {
  const { width, height } = fitInside(raster, placeholderBox)
  const rgba = await fromRaster(raster)
    .resize(width, height, { fit: 'fill' })
    .ensureAlpha()
    .raw()
    .toBuffer()
  return {
    thumbhash: Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64'),
    color: dominantColor(rgba),
  }
}

interface Bin {
  pixels: number
  red: number
  green: number
  blue: number
}

/**
 * The mean of the most frequent kind of colour, where colours that agree in the upper four bits of
 * each channel are of a kind. What is mostly transparent does not count; an image of nothing else
 * is white.
 */
export function dominantColor(rgba: Buffer): string {
  const bins = new Map<number, Bin>()
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    if (rgba.readUInt8(at + 3) < 128) continue
    const [red, green, blue] = [rgba.readUInt8(at), rgba.readUInt8(at + 1), rgba.readUInt8(at + 2)]
    const key = ((red >> 4) << 8) | ((green >> 4) << 4) | (blue >> 4)
    const bin = bins.get(key) ?? { pixels: 0, red: 0, green: 0, blue: 0 }
    bin.pixels += 1
    bin.red += red
    bin.green += green
    bin.blue += blue
    bins.set(key, bin)
  }
  let largest: Bin = { pixels: 1, red: 255, green: 255, blue: 255 }
  for (const bin of bins.values()) if (bin.pixels >= largest.pixels) largest = bin
  const { pixels, red, green, blue } = largest
  const hex = [red, green, blue].map((sum) =>
    Math.round(sum / pixels)
      .toString(16)
      .padStart(2, '0'),
  )
  return `#${hex.join('')}`
}
