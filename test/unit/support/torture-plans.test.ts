/** What the clients of the torture draw, and what they say of the bytes they send. */
import { describe, expect, it } from 'vitest'
import { claimChecksum, claimDigest, digestOf } from '../../../scripts/torture/checksums.ts'
import { drawDivision } from '../../../scripts/torture/concatenation.ts'
import { joined, noise, slice } from '../../../scripts/torture/contents.ts'
import { checkUnknown } from '../../../scripts/torture/leftovers.ts'
import { drawPlan } from '../../../scripts/torture/plan.ts'
import { seededRandom } from '../../support/random.ts'

describe('uploads that no client heard of', () => {
  const refused = new Set(['wrong-1-a.bin'])
  const unknown = (filename: string | null, offset: number) =>
    expect(() => checkUnknown({ id: '1', filename, offset }, refused))

  it('may have bytes unless these were wrong', () => {
    unknown('a.bin', 100).not.toThrow()
    unknown(null, 100).not.toThrow()
    unknown('wrong-2-a.bin', 0).not.toThrow()
    unknown('wrong-2-a.bin', 1).toThrow('1 bytes that are wrong')
  })

  it('may not be there when they were refused', () => {
    unknown('wrong-1-a.bin', 0).toThrow('was refused, and is there')
  })
})

describe('what is said of bytes', () => {
  const content = noise(100_000, 'seed')
  const read = () => content.read(10, 90_000)
  const whole = Buffer.concat([...read()])
  const seeds = Array.from({ length: 60 }, (_, index) => index)

  it('is the digest of what is sent when it is right, and never when it is wrong', () => {
    const algorithms = new Set<string>()
    for (const seed of seeds) {
      for (const claim of ['right', 'wrong'] as const) {
        const { bytes, value } = claimChecksum(seededRandom(seed), read, claim)
        const [algorithm = '', digest] = value.split(' ')
        algorithms.add(algorithm)
        const sent = [...bytes]
        const found = digestOf(algorithm as 'md5', sent).toString('base64')
        expect(found === digest).toBe(claim === 'right')
        expect(Buffer.concat(sent)).toHaveLength(whole.length)
      }
    }
    expect([...algorithms].sort()).toEqual(['crc32', 'md5', 'sha1', 'sha256', 'sha512'])
  })

  it('is wrong also of no bytes, and harms no bytes but those it sends', () => {
    const empty = claimDigest(seededRandom(1), () => [], 'wrong').value
    expect(empty).not.toBe(claimDigest(seededRandom(1), () => [], 'right').value)
    const photo = Buffer.from(whole)
    for (const seed of seeds) [...claimDigest(seededRandom(seed), () => [photo], 'wrong').bytes]
    expect(photo.equals(whole)).toBe(true)
  })

  it('is a CRC-32 with its most significant byte first', () => {
    expect(digestOf('crc32', [Buffer.from('1234'), Buffer.from('56789')]).toString('hex')).toBe(
      'cbf43926',
    )
  })
})

describe('uploads in parts', () => {
  const album = [Buffer.concat([...noise(50_000, 'photo').read(0, 50_000)])]
  const without = new Set<string>()
  const divisions = Array.from({ length: 200 }, (_, index) =>
    drawDivision(seededRandom(index), album, without),
  ).filter((division) => division !== undefined)

  it('are their parts, in order', () => {
    expect(divisions.length).toBeGreaterThan(10)
    for (const { content, parts, order } of divisions.slice(0, 8)) {
      const pieces = order.map((index) => parts[index] ?? noise(0, ''))
      const all = pieces.flatMap((part) => [...part.read(0, part.size)])
      const read = [...content.read(0, content.size)]
      expect(digestOf('sha1', all).equals(digestOf('sha1', read))).toBe(true)
      expect(new Set(order)).toEqual(new Set(parts.keys()))
    }
  })

  it('can be read from anywhere to anywhere', () => {
    const whole = noise(1_000, 'seed')
    const one = joined('all', [
      slice(whole, 0, 300),
      slice(whole, 300, 300),
      slice(whole, 300, 1_000),
    ])
    const read = (content: typeof one, from: number, to: number) =>
      Buffer.concat([...content.read(from, to)])
    for (const [from, to] of [
      [0, 1_000],
      [299, 301],
      [300, 300],
      [10, 20],
      [300, 999],
    ] as const) {
      expect(read(one, from, to).equals(read(whole, from, to))).toBe(true)
    }
  })
})

describe('what clients are not to do', () => {
  const plansWithout = (...names: string[]) =>
    Array.from({ length: 200 }, (_, index) => drawPlan(seededRandom(index), 1_000, new Set(names)))

  it('is part of some plans unless it is left out', () => {
    expect(plansWithout().some(({ claims }) => claims > 0)).toBe(true)
    expect(plansWithout('checksums').some(({ claims }) => claims > 0)).toBe(false)
    expect(new Set(plansWithout().map(({ interop }) => interop))).toEqual(
      new Set([undefined, 5, 6, 9]),
    )
    const tusOnly = plansWithout('ietf')
    expect(tusOnly.some(({ interop, asksInOther }) => interop || asksInOther > 0)).toBe(false)
    const none = new Set(['concatenation'])
    const drawn = Array.from({ length: 200 }, (_, index) =>
      drawDivision(seededRandom(index), [], none),
    )
    expect(drawn.every((division) => division === undefined)).toBe(true)
  })
})
