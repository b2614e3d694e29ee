import { describe, expect, it } from 'vitest'
import {
  blockSize,
  type Claim,
  grants,
  overdraftSlice,
  overdrawer,
  spillers,
} from '../../../src/storage/memory/policy.ts'

const KiB = 2 ** 10
const MiB = 2 ** 20
const now = 1_000_000

interface NamedClaim extends Claim {
  readonly name: string
}

function claim(name: string, changes: Partial<Claim> = {}): NamedClaim {
  return {
    name,
    filling: 0,
    storing: 0,
    wants: undefined,
    silentSince: undefined,
    waited: 0,
    spillingSince: undefined,
    spills: 0,
    overdraws: false,
    isFast: false,
    ...changes,
  }
}

const names = (claims: readonly NamedClaim[]) => claims.map(({ name }) => name)
const wants = (size: number, ago = 0) => ({ size, since: now - ago })

describe('the size of a block', () => {
  it.each([
    [1, 64 * KiB],
    [64 * KiB, 64 * KiB],
    [64 * KiB + 1, 512 * KiB],
    [4 * MiB + 1, 8 * MiB],
    [8 * MiB, 8 * MiB],
  ])('for %i bytes of a part of 8 MiB is %i', (bytes, size) => {
    expect(blockSize(bytes, 8 * MiB)).toBe(size)
  })

  it('goes to a large part in steps', () => {
    const full = 103 * MiB
    expect([1, 5 * MiB, 33 * MiB].map((bytes) => blockSize(bytes, full))).toEqual([
      64 * KiB,
      32 * MiB,
      full,
    ])
  })

  it('is never more than the part', () => {
    expect(blockSize(1, 1_000)).toBe(1_000)
  })
})

describe('memory is granted', () => {
  const limit = 16 * MiB

  it('to the largest block first, and not to more than there is memory for', () => {
    const waiting = [
      claim('empty', { wants: wants(4 * MiB) }),
      claim('half', { filling: 4 * MiB, wants: wants(8 * MiB) }),
      claim('small', { filling: 512 * KiB, wants: wants(4 * MiB) }),
    ]
    expect(names(grants(waiting, limit, now))).toEqual(['half', 'small'])
  })

  it('to one that just filled a part within moments before one that only began', () => {
    const waiting = [
      claim('slow', { filling: 512 * KiB, wants: wants(4 * MiB) }),
      claim('fast', { isFast: true, wants: wants(8 * MiB) }),
      claim('nearly full', { filling: 4 * MiB + 1, wants: wants(8 * MiB) }),
    ]
    expect(names(grants(waiting, 100 * MiB, now))).toEqual(['nearly full', 'fast', 'slow'])
  })

  it('to whoever waited too long before all others', () => {
    const waiting = [
      claim('half', { filling: 4 * MiB, wants: wants(8 * MiB) }),
      claim('old', { wants: wants(8 * MiB, 10_000) }),
      claim('older', { wants: wants(512 * KiB, 12_000) }),
    ]
    expect(names(grants(waiting, 100 * MiB, now))).toEqual(['older', 'old', 'half'])
  })

  it('later to whoever had to give it back, each time', () => {
    const half = claim('half', { filling: 4 * MiB, wants: wants(8 * MiB) })
    const returning = (spills: number, ago: number) =>
      claim('returning', { spills, wants: wants(64 * KiB, ago) })
    const first = (other: NamedClaim) => names(grants([half, other], 100 * MiB, now))[0]
    expect(first(returning(1, 10_000))).toBe('half')
    expect(first(returning(1, 20_000))).toBe('returning')
    expect(first(returning(9, 59_000))).toBe('half')
    expect(first(returning(9, 60_000))).toBe('returning')
  })

  it('to whoever had to give it back only where others have room beside it', () => {
    const held = claim('held', { storing: 12 * MiB })
    const wanted = { wants: wants(64 * KiB) }
    expect(names(grants([held, claim('new', wanted)], limit, now))).toEqual(['new'])
    expect(names(grants([held, claim('returning', { ...wanted, spills: 1 })], limit, now))).toEqual(
      [],
    )
  })

  it('to none behind one that does not fit, but to small blocks out of what is kept for them', () => {
    const waiting = [
      claim('held', { filling: 8 * MiB }),
      claim('large', { filling: 4 * MiB, wants: wants(12 * MiB) }),
      claim('behind', { wants: wants(4 * MiB) }),
      ...[1, 2, 3, 4, 5].map((n) => claim(`small ${n}`, { wants: wants(512 * KiB) })),
    ]
    expect(names(grants(waiting, limit, now))).toEqual(['small 1', 'small 2', 'small 3', 'small 4'])
  })

  it('to one that may go over the budget, whatever there is', () => {
    const waiting = [
      claim('held', { storing: 20 * MiB }),
      claim('over', { overdraws: true, filling: 512 * KiB, wants: wants(4 * MiB) }),
      claim('not', { wants: wants(64 * KiB) }),
    ]
    expect(names(grants(waiting, limit, now))).toEqual(['over'])
  })
})

describe('memory is wanted back', () => {
  const silent = (name: string, filling: number, ago = 250) =>
    claim(name, { filling, silentSince: now - ago })

  it('from nobody while nobody waits and nobody stands still', () => {
    const claims = [
      silent('silent for a moment', 8 * MiB, 999),
      claim('busy', { filling: 8 * MiB, waited: 60_000 }),
    ]
    expect(spillers(claims, 16 * MiB, now)).toEqual([])
  })

  it('from those that stand still, the largest first, until they hold an eighth of it', () => {
    const claims = [
      claim('busy', { storing: 20 * MiB }),
      silent('one', MiB, 1_000),
      silent('trickling', 4 * MiB, 10),
      silent('two', 2 * MiB, 1_000),
      { ...silent('told', 4 * MiB, 60_000), spillingSince: now - 1_999 },
    ]
    const [, , trickling] = claims
    if (trickling) claims[2] = { ...trickling, waited: 990 }
    expect(names(spillers(claims, 16 * MiB, now))).toEqual(['trickling', 'two'])
    expect(names(spillers(claims, 48 * MiB, now))).toEqual(['trickling'])
  })

  it('from those that stand still only while more than half of it is held', () => {
    const still = [silent('one', 4 * MiB, 1_000), silent('two', 3 * MiB, 1_000)]
    const told = { ...silent('told', 4 * MiB, 60_000), spillingSince: now - 1_999 }
    expect(names(spillers([...still, told], 14 * MiB, now))).toEqual([])
    expect(names(spillers([...still, told], 14 * MiB - 2, now))).toEqual(['one'])
    const busy = claim('busy', { filling: MiB, storing: 3 * MiB })
    expect(names(spillers([...still, busy], 14 * MiB, now))).toEqual(['one'])
  })

  it('from no others while those that were told are still storing what they have', () => {
    const still = [silent('one', 4 * MiB, 1_000), silent('two', 4 * MiB, 1_000)]
    const told = claim('told', { storing: 4 * MiB, spillingSince: now - 1_999 })
    expect(names(spillers([...still, told], 16 * MiB, now))).toEqual([])
    const waiting = claim('waiting', { wants: wants(4 * MiB) })
    const quiet = [silent('one', 4 * MiB), silent('two', 4 * MiB)]
    expect(names(spillers([...quiet, told, waiting], 13 * MiB, now))).toEqual(['one'])
    expect(names(spillers([...quiet, told, waiting], 14 * MiB, now))).toEqual([])
    const stuck = { ...told, spillingSince: now - 2_000 }
    expect(names(spillers([...quiet, stuck, waiting], 14 * MiB, now))).toEqual(['one'])
  })

  it('later from those that had to give it back, each time', () => {
    const told = (spills: number, ago: number) =>
      spillers([{ ...silent('one', 8 * MiB, ago), spills }], 8 * MiB, now).length
    expect([told(1, 1_999), told(1, 2_000)]).toEqual([0, 1])
    expect([told(3, 7_999), told(3, 8_000)]).toEqual([0, 1])
    expect([told(9, 59_999), told(9, 60_000)]).toEqual([0, 1])
  })

  it('once from one that stands still while others wait', () => {
    const claims = [silent('still', 16 * MiB, 1_000), claim('waiting', { wants: wants(4 * MiB) })]
    expect(names(spillers(claims, 16 * MiB, now))).toEqual(['still'])
  })

  it('also from one that trickles while others wait', () => {
    const trickling = { ...silent('trickling', MiB, 10), waited: 990 }
    const waiting = claim('waiting', { wants: wants(4 * MiB) })
    expect(names(spillers([trickling, waiting], 12 * MiB, now))).toEqual([])
    const held = claim('held', { storing: 8 * MiB })
    expect(names(spillers([trickling, waiting, held], 12 * MiB, now))).toEqual(['trickling'])
  })

  it('from the largest of those that are silent, and from no more than is needed', () => {
    const claims = [
      silent('small', 64 * KiB),
      silent('middle', 4 * MiB),
      silent('large', 8 * MiB),
      silent('talking', 3 * MiB, 249),
      claim('waiting', { filling: 512 * KiB, wants: wants(8 * MiB + 512 * KiB + 1) }),
    ]
    expect(names(spillers(claims, 15 * MiB + 576 * KiB, now))).toEqual(['large', 'middle'])
  })

  it('so much that what must stay free beside it stays free', () => {
    const claims = [
      silent('one', 4 * MiB),
      silent('two', 4 * MiB),
      silent('three', 4 * MiB),
      silent('four', 4 * MiB),
      claim('waiting', { wants: wants(4 * MiB) }),
    ]
    // An eighth of the budget, and what it wants itself.
    expect(names(spillers(claims, 16 * MiB, now))).toEqual(['one', 'two'])
  })

  it('from nobody when what was asked for already is enough', () => {
    const claims = [
      { ...silent('told', 8 * MiB), spillingSince: now - 1_999 },
      silent('other', 8 * MiB),
      claim('waiting', { wants: wants(4 * MiB) }),
    ]
    expect(spillers(claims, 16 * MiB, now)).toEqual([])
  })
})

describe('the budget may be exceeded', () => {
  const half = claim('half', { filling: 4 * MiB, wants: wants(8 * MiB) })
  const small = claim('small', { filling: 512 * KiB, wants: wants(4 * MiB) })

  it('by nobody who does not wait', () => {
    expect(overdrawer([claim('reading', { filling: MiB })], now)).toBeUndefined()
  })

  it('by the first of those who wait when all memory is being filled', () => {
    expect(overdrawer([small, half], now)?.name).toBe('half')
  })

  it.each([
    ['is being stored', { storing: 4 * MiB }],
    ['was asked for', { filling: 4 * MiB, spillingSince: now - 1_999 }],
    ['nobody hears of', { filling: 4 * MiB, silentSince: now - 100 }],
  ])('not while memory that %s will be enough soon', (_, changes) => {
    const coming = claim('coming', changes)
    expect(overdrawer([coming, half], now)).toBeUndefined()
    const patient = { ...half, wants: wants(8 * MiB, 500) }
    expect(overdrawer([coming, patient], now)?.name).toBe('half')
  })

  it('at once when what comes back is not enough', () => {
    const trickling = claim('trickling', { filling: 64 * KiB, silentSince: now - 100 })
    expect(overdrawer([trickling, half], now)?.name).toBe('half')
  })

  it('longer for a larger part', () => {
    expect(overdraftSlice(8 * MiB)).toBe(2_800)
    expect(overdraftSlice(103 * MiB)).toBe(12_300)
  })
})
