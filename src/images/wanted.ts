import { createHash } from 'node:crypto'
import type { Preset } from '../conversion/contract.ts'
import { encoderGeneration } from '../conversion/presets.ts'

/**
 * What a preset asks for. Which formats an image gets by it depends on the image as well (see
 * `Preset.animated`), so what is known is of the preset as a whole: its renditions are made together.
 */
export interface Wanted {
  readonly preset: string
  /** The same for the same question, and different once any part of it is: 64 bits, in hex. */
  readonly fingerprint: string
}

/** What presets ask for, in their order. */
export function wantedOf(presets: readonly Preset[]): Wanted[] {
  return presets.map((preset) => ({ preset: preset.name, fingerprint: fingerprintOf(preset) }))
}

/**
 * Of what has a say in the bytes only: the focus has none where nothing is cut off, and the order of
 * the formats is for those who choose among them.
 */
function fingerprintOf(preset: Preset): string {
  const { name, width, height, fit, focus, animated, quality } = preset
  const point = focus === 'attention' ? focus : [focus.x, focus.y]
  const formats = preset.formats.toSorted()
  const asked = [
    ...[encoderGeneration, name, width, height, fit],
    fit === 'cover' ? point : null,
    animated && formats.includes('webp'),
    formats.map((format) => [format, quality[format] ?? null]),
  ]
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16)
}
