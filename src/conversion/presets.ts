import type { Preset } from './contract.ts'

const webp = (name: string, side: number): Preset => ({
  name,
  width: side,
  height: side,
  formats: ['webp'],
  quality: { webp: 80 },
})

/** What is made of every image unless the operator says otherwise. */
export const defaultPresets: readonly Preset[] = [
  webp('thumb', 320),
  webp('small', 640),
  webp('medium', 1280),
  webp('large', 2048),
  { name: 'large-avif', width: 2048, height: 2048, formats: ['avif'], quality: { avif: 50 } },
]
