import { expect, it } from 'vitest'
import type { Preset } from '../../../src/conversion/contract.ts'
import { wantedOf } from '../../../src/images/wanted.ts'
import { testPreset } from '../../support/presets.ts'

const base = testPreset({ formats: ['webp', 'avif'], quality: { webp: 80, avif: 50 } })
const fingerprints = (preset: Preset) => wantedOf([preset]).map(({ fingerprint }) => fingerprint)

it('what is wanted is known by one fingerprint for each preset, in their order', () => {
  const wanted = wantedOf([base, testPreset({ name: 'other' })])
  expect(wanted.map(({ preset }) => preset)).toEqual(['box', 'other'])
  for (const { fingerprint } of wanted) expect(fingerprint).toMatch(/^[0-9a-f]{16}$/)
  expect(new Set(wanted.map(({ fingerprint }) => fingerprint)).size).toBe(2)
})

it.each<[string, Partial<Preset>, boolean]>([
  ['nothing', {}, false],
  ['the name', { name: 'other' }, true],
  ['the width', { width: 11 }, true],
  ['the height', { height: 11 }, true],
  ['the fit', { fit: 'cover' }, true],
  ['the focus of what is not cut', { focus: 'attention' }, false],
  ['whether it moves', { animated: true }, true],
  ['the quality of a format', { quality: { webp: 81, avif: 50 } }, true],
  ['the quality of a format it has not', { quality: { webp: 80, avif: 50, jpeg: 3 } }, false],
  ['the order of formats', { formats: ['avif', 'webp'] }, false],
  ['one more format', { formats: ['webp', 'avif', 'png'] }, true],
])('a fingerprint changes with what it is of: %s', (_, given, changes) => {
  const [before, after] = [fingerprints(base), fingerprints({ ...base, ...given })]
  expect(after[0] !== before[0]).toBe(changes)
})

it('whether it moves is nothing to a preset without WebP', () => {
  const still = testPreset({ formats: ['avif'] })
  expect(fingerprints({ ...still, animated: true })).toEqual(fingerprints(still))
})

it('a fingerprint changes with the focus of what is cut', () => {
  const focuses = ['attention', { x: 0.5, y: 0.5 }, { x: 0.5, y: 0.4 }] as const
  const all = focuses.map((focus) => fingerprints({ ...base, fit: 'cover', focus })[0])
  expect(new Set(all).size).toBe(3)
})
