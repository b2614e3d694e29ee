import { createHash } from 'node:crypto'
import type { Preset, RenditionFormat } from '../conversion/contract.ts'
import { encoderGeneration } from '../conversion/presets.ts'

/** A rendition as the presets ask for it. */
export interface Wanted {
  readonly preset: string
  readonly format: RenditionFormat
  /** The same for the same question, and different once any part of it is: 64 bits, in hex. */
  readonly fingerprint: string
}

/** Every rendition that presets ask for, in their order. */
export function wantedOf(presets: readonly Preset[]): Wanted[] {
  return presets.flatMap((preset) =>
    preset.formats.map((format) => ({
      preset: preset.name,
      format,
      fingerprint: fingerprintOf(preset, format),
    })),
  )
}

/** Of what has a say in the bytes only: the focus has none where nothing is cut off. */
function fingerprintOf(preset: Preset, format: RenditionFormat): string {
  const { name, width, height, fit, focus, animated, quality } = preset
  const point = focus === 'attention' ? focus : [focus.x, focus.y]
  const asked = [
    ...[encoderGeneration, name, format, width, height, fit],
    fit === 'cover' ? point : null,
    animated && format === 'webp',
    quality[format] ?? null,
  ]
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16)
}
