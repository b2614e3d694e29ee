import type { Claim } from './checksums.ts'

/** Where an upload may stand after what was sent to it, whatever arrived of that. */
export class SentRanges {
  /** Of each request: from where to where it may stand in the midst of it, or after it. */
  readonly #ranges: (readonly [from: number, to: number])[] = [[0, 0]]
  readonly #countsInBetween: boolean
  #end = 0

  constructor(countsInBetween: boolean) {
    this.#countsInBetween = countsInBetween
  }

  /** No byte from here on was ever sent that may count. */
  get end(): number {
    return this.#end
  }

  add(from: number, to: number, claim: Claim): void {
    if (claim === 'wrong') return
    const isDivisible = claim === 'none' || this.#countsInBetween
    this.#ranges.push([isDivisible ? from : to, to])
    this.#end = Math.max(this.#end, to)
  }

  mayStandAt(offset: number): boolean {
    return this.#ranges.some(([from, to]) => from <= offset && offset <= to)
  }
}
