import type { Preset } from './contract.ts'
import { estimateMemory } from './estimate.ts'
import type { Inspected } from './inspect.ts'
import { placeholderBox } from './placeholder.ts'
import { type Plan, planWork } from './plan.ts'
import { pixelsOf } from './size.ts'
import { grouped, mebibytes, tooLarge } from './too-large.ts'

/** No image of more pixels is decoded, whatever memory there is: it would take minutes. */
export const maxPixels = 1_000_000_000

/**
 * An animation of more pixels, all frames counted, is not made to move: as it arrives, and in all
 * that is made of it. On one core this is about a minute's work.
 */
export const maxMovingPixels = { original: 500_000_000, renditions: 200_000_000 }

export interface Admission {
  readonly plan: Plan
  /** Of memory. */
  readonly bytes: number
}

/**
 * Lets an image through that can be converted within `memory` bytes. Where only its moving takes too
 * much, it is converted to stills: somebody who sends a long animation wants to see something.
 * @throws AppError `image-too-large` (422).
 */
export function admit(original: Inspected, presets: readonly Preset[], memory: number): Admission {
  const size = `${grouped(original.width)} × ${grouped(original.height)} pixels`
  const pixels = pixelsOf(original)
  if (pixels > maxPixels) {
    throw tooLarge(
      `The image has ${size} (${grouped(Math.ceil(pixels / 1e6))} megapixels); ` +
        `at most ${grouped(maxPixels / 1e6)} megapixels can be converted.`,
    )
  }
  const moving = admissionOf(original, presets)
  if (moving.bytes <= memory && canMove(original, moving.plan)) return moving
  const still = admissionOf({ ...original, frames: 1 }, presets)
  if (still.bytes <= memory) return still
  throw tooLarge(
    `Converting this ${kind(original)} of ${size} would take about ${mebibytes(still.bytes)} of ` +
      `memory; ${mebibytes(memory)} are allowed.`,
  )
}

function admissionOf(original: Inspected, presets: readonly Preset[]): Admission {
  const plan = planWork(original, presets, placeholderBox)
  return { plan, bytes: estimateMemory(original, plan) }
}

function canMove(original: Inspected, { tasks }: Plan): boolean {
  const made = tasks.reduce((sum, task) => sum + pixelsOf(task) * task.frames, 0)
  return (
    original.frames === 1 ||
    (pixelsOf(original) * original.frames <= maxMovingPixels.original &&
      made <= maxMovingPixels.renditions)
  )
}

function kind({ format, progressive }: Inspected): string {
  const name = format === 'webp' ? 'WebP' : format.toUpperCase()
  if (!progressive) return `${name} image`
  return format === 'png' ? 'interlaced PNG image' : `progressive ${name} image`
}
