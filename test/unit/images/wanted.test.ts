import { expect, it } from 'vitest'
import type { Preset } from '../../../src/conversion/contract.ts'
import { wantedOf } from '../../../src/images/wanted.ts'
import { testPreset } from '../../support/presets.ts'

const base = testPreset({ formats: ['webp', 'avif'], quality: { webp: 80, avif: 50 } })
const fingerprints = (preset: Preset) => wantedOf([preset]).map(({ fingerprint }) => fingerprint)

it('one rendition is wanted for each format, in the order of the presets', () => {
  const wanted = wantedOf([base, testPreset({ name: 'other' })])
  expect(wanted.map(({ preset, format }) => `${preset}.${format}`)).toEqual([
    'box.webp',
    'box.avif',
    'other.webp',
  ])
  for (const { fingerprint } of wanted) expect(fingerprint).toMatch(/^[0-9a-f]{16}$/)
  expect(new Set(wanted.map(({ fingerprint }) => fingerprint)).size).toBe(3)
})

it.each<[string, Partial<Preset>, boolean, boolean]>([
  ['nothing', {}, false, false],
  ['the name', { name: 'other' }, true, true],
  ['the width', { width: 11 }, true, true],
  ['the height', { height: 11 }, true, true],
  ['the fit', { fit: 'cover' }, true, true],
  ['the focus of what is not cut', { focus: 'attention' }, false, false],
  ['whether it moves', { animated: true }, true, false],
  ['the quality of WebP', { quality: { webp: 81, avif: 50 } }, true, false],
  ['the quality of another format', { quality: { webp: 80, avif: 50, jpeg: 3 } }, false, false],
  ['the order of formats', { formats: ['webp', 'avif', 'png'] }, false, false],
])('a fingerprint changes with what it is of: %s', (_, given, webp, avif) => {
  const [before, after] = [fingerprints(base), fingerprints({ ...base, ...given })]
  expect(after[0] !== before[0]).toBe(webp)
  expect(after[1] !== before[1]).toBe(avif)
})

it('a fingerprint changes with the focus of what is cut', () => {
  const focuses = ['attention', { x: 0.5, y: 0.5 }, { x: 0.5, y: 0.4 }] as const
  const all = focuses.map((focus) => fingerprints({ ...base, fit: 'cover', focus })[0])
  expect(new Set(all).size).toBe(3)
})
