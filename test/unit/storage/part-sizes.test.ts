import { describe, expect, it } from 'vitest'
import { maxParts, mayEndPart, partSize } from '../../../src/storage/s3/part-sizes.ts'
import { seededRandom } from '../../support/random.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30
const TiB = 2 ** 40
const none = { parts: 0, bytes: 0 }

/** Sends requests of some size, as the writer does, and tells the parts they become. */
function partsOf(length: number, request: () => number, declared: number | undefined): number[] {
  const parts: number[] = []
  let bytes = 0
  let left = 0
  let sent = 0
  while (sent < length) {
    const size = Math.min(request(), length - sent)
    sent += size
    left += size
    const done = () => ({ parts: parts.length, bytes })
    const end = (part: number) => {
      parts.push(part)
      bytes += part
      left -= part
    }
    while (left > partSize(declared, done())) end(partSize(declared, done()))
    if (sent === length || mayEndPart(left, declared, done())) end(left)
  }
  return parts
}

describe('the sizes of parts', () => {
  it('are 8 MiB as long as that is enough', () => {
    expect(partSize(1, none)).toBe(8 * MiB)
    expect(partSize(70 * GiB, none)).toBe(8 * MiB)
    expect(partSize(undefined, none)).toBe(8 * MiB)
  })

  it('are whole MiB and just large enough for a larger upload', () => {
    expect(partSize(100 * GiB, none)).toBe(11 * MiB)
    expect(partSize(48 * TiB, none)).toBeLessThanOrEqual(5.1 * GiB)
  })

  it.each([5 * MiB, 5 * MiB + 1, 8 * MiB, 12 * MiB, 64 * MiB])(
    'fit into 10,000 parts with requests of %i bytes',
    (request) => {
      for (const length of [GiB, 50 * GiB, 78 * GiB, 79 * GiB, 300 * GiB]) {
        const parts = partsOf(length, () => request, length)
        expect(parts.length).toBeLessThanOrEqual(maxParts)
        expect(Math.min(...parts.slice(0, -1))).toBeGreaterThanOrEqual(5 * MiB)
      }
    },
  )

  it('fit with requests of all sizes, and with a length nobody knows', () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const random = seededRandom(seed)
      const length = random.integer(GiB, 400 * GiB)
      const request = () => random.integer(MiB, 40 * MiB)
      for (const declared of [length, undefined]) {
        const parts = partsOf(length, request, declared)
        expect(parts.length).toBeLessThanOrEqual(maxParts)
        expect(Math.min(...parts.slice(0, -1))).toBeGreaterThanOrEqual(5 * MiB)
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(length)
      }
    }
  })

  it('let a short part be only where there are parts enough', () => {
    expect(mayEndPart(5 * MiB - 1, GiB, none)).toBe(false)
    expect(mayEndPart(5 * MiB, GiB, none)).toBe(true)
    expect(mayEndPart(5 * MiB, 100 * GiB, none)).toBe(false)
    expect(mayEndPart(11 * MiB, 100 * GiB, none)).toBe(true)
  })
})
