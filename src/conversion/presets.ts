import type { Preset, RenditionFormat } from './contract.ts'

/**
 * Counts what the pipeline makes of one and the same preset: to be raised with a change that is worth
 * making renditions anew for, which are then found to be of an earlier one.
 */
export const encoderGeneration = 1

/** What each encoder is told where nobody says otherwise. A PNG is lossless. */
export const defaultQuality: Readonly<Partial<Record<RenditionFormat, number>>> = {
  webp: 80,
  avif: 50,
  jpeg: 80,
}

const inside = (name: string, side: number) =>
  ({ name, width: side, height: side, fit: 'inside', focus: { x: 0.5, y: 0.5 } }) as const
const quality = defaultQuality

/** What is made of every image unless the operator says otherwise. */
export const defaultPresets: readonly Preset[] = [
  { ...inside('thumb', 320), formats: ['webp'], quality, animated: false },
  { ...inside('small', 640), formats: ['webp'], quality, animated: false },
  { ...inside('medium', 1280), formats: ['webp'], quality, animated: true },
  { ...inside('large', 2048), formats: ['avif', 'webp'], quality, animated: true },
  { ...inside('large-avif', 2048), formats: ['avif'], quality, animated: false },
]
