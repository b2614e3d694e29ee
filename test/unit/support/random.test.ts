import { expect, it } from 'vitest'
import { seededRandom } from '../../support/random.ts'

const draw = (seed: string) => {
  const random = seededRandom(seed)
  return Array.from({ length: 20 }, () => [random.integer(1, 6), random.pick('abc'.split(''))])
}

it('draws the same for the same seed, and something else for another', () => {
  expect(draw('one')).toEqual(draw('one'))
  expect(draw('one')).not.toEqual(draw('two'))
})

it('draws all integers of a range, ends included', () => {
  const random = seededRandom(1)
  const drawn = Array.from({ length: 200 }, () => random.integer(3, 5))
  expect(new Set(drawn)).toEqual(new Set([3, 4, 5]))
})

it('takes chances as likely as they are', () => {
  const random = seededRandom(1)
  const count = (probability: number) =>
    Array.from({ length: 500 }, () => random.chance(probability)).filter(Boolean).length
  expect([count(0), count(1)]).toEqual([0, 500])
  expect(count(0.2)).toBeGreaterThan(50)
  expect(count(0.2)).toBeLessThan(150)
})

it('cannot pick from nothing', () => {
  expect(() => seededRandom(1).pick([])).toThrow('nothing to pick')
})
