import { expect, it } from 'vitest'
import { planWork } from '../../../src/conversion/plan.ts'
import { defaultPresets } from '../../../src/conversion/presets.ts'
import { testPreset } from '../../support/presets.ts'

const least = { width: 100, height: 100 }
const photo = { width: 4_000, height: 3_000, frames: 1 }
const still = { ...photo, width: 300, height: 200 }

it('what presets share is made once', () => {
  const large = testPreset({
    name: 'large',
    width: 2_048,
    height: 2_048,
    formats: ['avif', 'webp'],
  })
  const avif = { ...large, name: 'large-avif', formats: ['avif'] as const }
  const { tasks } = planWork(photo, [large, avif], least)
  expect(tasks.map(({ format, presets }) => [format, presets])).toEqual([
    ['avif', ['large', 'large-avif']],
    ['webp', ['large']],
  ])
})

it('presets an image is too small for share what is made of it', () => {
  const { tasks } = planWork(still, defaultPresets, least)
  expect(tasks.map(({ presets }) => presets)).toEqual([
    ['thumb', 'small', 'medium', 'large'],
    ['large', 'large-avif'],
  ])
})

it('another quality or another cut is another file', () => {
  const box = testPreset({ width: 100, height: 50, fit: 'cover' })
  const presets = [
    box,
    { ...box, name: 'other-quality', quality: { webp: 30 } },
    { ...box, name: 'other-focus', focus: 'attention' as const },
  ]
  expect(planWork(photo, presets, least).tasks.length).toBe(3)
})

it('where there is nothing to cut away, the focus makes no difference', () => {
  const box = testPreset({ width: 400, height: 300, fit: 'cover' })
  const presets = [box, { ...box, name: 'other', focus: 'attention' as const }]
  expect(planWork(photo, presets, least).tasks.length).toBe(1)
})

it('the copy holds what the largest rendition and every cut need', () => {
  const inside = testPreset({ width: 1_000, height: 1_000 })
  const cover = testPreset({ name: 'square', width: 900, height: 900, fit: 'cover' })
  expect(planWork(photo, [inside], least).copy).toEqual({ width: 1_000, height: 750 })
  expect(planWork(photo, [inside, cover], least).copy).toEqual({ width: 1_200, height: 900 })
  expect(planWork(photo, [testPreset()], least).copy).toEqual({ width: 100, height: 75 })
})

it('the largest is made first', () => {
  const { tasks } = planWork(photo, defaultPresets, least)
  const widths = tasks.map(({ width }) => width)
  expect(widths).toEqual([...widths].sort((a, b) => b - a))
})

it('of what moves there is only WebP where it may go on moving', () => {
  const moving = testPreset({ formats: ['avif', 'webp', 'jpeg'], animated: true })
  const others = { ...moving, name: 'still', animated: false }
  const noWebp = { ...moving, name: 'no-webp', formats: ['jpeg'] as const }
  const { tasks } = planWork({ ...photo, frames: 9 }, [moving, others, noWebp], least)
  expect(tasks.filter(({ presets }) => presets.includes('box'))).toMatchObject([
    { format: 'webp', frames: 9 },
  ])
  expect(
    tasks
      .filter(({ frames }) => frames === 1)
      .map(({ format }) => format)
      .sort(),
  ).toEqual(['avif', 'jpeg', 'webp'])
})
