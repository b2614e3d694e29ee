/** Pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** The largest size of the same shape that fits into `box`; never larger than `size`, never empty. */
export function fitInside(size: Size, box: Size): Size {
  const scale = Math.min(1, box.width / size.width, box.height / size.height)
  return {
    width: Math.max(1, Math.round(size.width * scale)),
    height: Math.max(1, Math.round(size.height * scale)),
  }
}

/** The smallest box that holds all of `boxes`. */
export function enclosing(boxes: readonly Size[]): Size {
  return {
    width: Math.max(...boxes.map(({ width }) => width)),
    height: Math.max(...boxes.map(({ height }) => height)),
  }
}
