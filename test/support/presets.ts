import type { Preset } from '../../src/conversion/contract.ts'

/** A preset of which a test says only what matters to it. */
export function testPreset(options: Partial<Preset> = {}): Preset {
  const centre = { x: 0.5, y: 0.5 }
  return {
    ...{ name: 'box', width: 10, height: 10, fit: 'inside', focus: centre, animated: false },
    ...{ formats: ['webp'], quality: {} },
    ...options,
  }
}
