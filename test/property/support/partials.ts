/** Concatenations, as plain data. */
import fc from 'fast-check'
import { sizes } from './arbitraries.ts'

export interface Partial {
  readonly size: number
  readonly isDeferred: boolean
  /** Where a request ends and the next begins, from 0 to 1. */
  readonly cuts: readonly number[]
  /** Whether the first bytes come with the creation. */
  readonly comesAtOnce: boolean
  /** Whether it is complete before the final upload is asked for. */
  readonly isEarly: boolean
  readonly seed: number
}

export interface Concatenation {
  readonly partials: readonly Partial[]
  /** Which of them the final upload is made of: each is one of those there are. */
  readonly order: readonly number[]
  /** Whether it names them by their whole URLs. */
  readonly isAbsolute: boolean
}

/** @param large how many sizes of a hundred are of several MiB. */
export function concatenations(large: number): fc.Arbitrary<Concatenation> {
  const share = fc.constantFrom(0, 0.2, 0.5, 0.7, 1)
  const partial = fc.record({
    size: sizes(large),
    isDeferred: fc.boolean(),
    cuts: fc.array(share, { maxLength: 2 }),
    comesAtOnce: fc.boolean(),
    isEarly: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  return fc.record({
    partials: fc.array(partial, { minLength: 1, maxLength: 4 }),
    order: fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }),
    isAbsolute: fc.boolean(),
  })
}

/** The bytes of each request that brings a partial upload. */
export function requestsOf({ cuts, comesAtOnce }: Partial, bytes: Buffer): Buffer[] {
  const borders = [
    0,
    ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort(byValue),
    bytes.length,
  ]
  const pieces = borders.slice(1).map((end, index) => bytes.subarray(borders[index], end))
  return comesAtOnce ? pieces : [Buffer.alloc(0), ...pieces]
}

const byValue = (one: number, other: number) => one - other
