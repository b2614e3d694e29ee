/** Pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** What a preset asks of the shape of its renditions. */
export interface Shape extends Size {
  readonly fit: 'inside' | 'cover'
}

/** The size of a rendition, and that of the whole image it is cut from at the same scale. */
export interface Frame extends Size {
  readonly whole: Size
}

/** The longest side that every format can have: that of WebP. */
export const longestSide = 16_383

/** The largest size of the same shape that fits into `box`; never larger than `size`, never empty. */
export function fitInside(size: Size, box: Size): Size {
  return scaled(size, Math.min(1, box.width / size.width, box.height / size.height))
}

/**
 * What becomes of an original. `inside` shows all of it. `cover` has the shape's proportions: exactly
 * its size if the original is large enough, else as much as there is. All follows from the original,
 * so that rounding does not add up.
 */
export function frameOf(original: Size, shape: Shape): Frame {
  const box = {
    width: Math.min(shape.width, longestSide),
    height: Math.min(shape.height, longestSide),
  }
  if (shape.fit === 'inside') {
    const size = fitInside(original, box)
    return { ...size, whole: size }
  }
  const cut = fitInside(box, original)
  const scale = Math.max(cut.width / original.width, cut.height / original.height)
  return { ...cut, whole: enclosing([cut, scaled(original, scale)]) }
}

/** The smallest box that holds all of `boxes`. */
export function enclosing(boxes: readonly Size[]): Size {
  return {
    width: Math.max(...boxes.map(({ width }) => width)),
    height: Math.max(...boxes.map(({ height }) => height)),
  }
}

export function pixelsOf({ width, height }: Size): number {
  return width * height
}

function scaled({ width, height }: Size, scale: number): Size {
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  }
}
