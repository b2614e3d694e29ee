import sharp, { type Sharp } from 'sharp'
import { fromRaster, type Raster } from './decode.ts'
import type { Task } from './plan.ts'

/** Where a rendition begins, in pixels of the whole image at its scale. */
export interface Corner {
  readonly left: number
  readonly top: number
}

export type Cut = Pick<Task, 'width' | 'height' | 'whole' | 'focus'>

/** The raster at a rendition's scale, cut to its size. */
export async function cutTo(raster: Raster, cut: Cut): Promise<Sharp> {
  const { width, height, whole } = cut
  const scaled = fromRaster(raster).resize(whole.width, whole.height, { fit: 'fill' })
  if (!isCut(cut)) return scaled
  return scaled.extract({ ...(await cornerOf(raster, cut)), width, height })
}

/** Where to cut: around the point, as far as the edges allow, or around what draws the eye. */
export async function cornerOf(raster: Raster, cut: Cut): Promise<Corner> {
  const { width, height, whole, focus } = cut
  if (focus !== 'attention') {
    return {
      left: clamp(focus.x * whole.width - width / 2, whole.width - width),
      top: clamp(focus.y * whole.height - height / 2, whole.height - height),
    }
  }
  const { info } = await fromRaster(raster)
    .resize(width, height, { fit: 'cover', position: sharp.strategy.attention })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return {
    left: clamp(-(info.cropOffsetLeft ?? 0), whole.width - width),
    top: clamp(-(info.cropOffsetTop ?? 0), whole.height - height),
  }
}

export function isCut({ width, height, whole }: Cut): boolean {
  return whole.width > width || whole.height > height
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(Math.round(value), 0), most)
}
