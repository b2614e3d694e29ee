import { createHash, randomBytes } from 'node:crypto'

export interface Random {
  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number
  /** True with this probability, from 0 to 1. */
  chance(probability: number): boolean
  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T
}

const resolution = 2 ** 48

/** The same seed gives the same numbers, so that a failure can be run again. */
export function seededRandom(seed: string | number): Random {
  let drawn = 0
  const draw = () => createHash('sha256').update(`${seed}:${drawn++}`).digest().readUIntBE(0, 6)
  const integer = (min: number, max: number) => min + (draw() % (max - min + 1))
  return {
    integer,
    chance: (probability) => draw() < probability * resolution,
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new Error('there is nothing to pick from')
      return list[integer(0, list.length - 1)] as T
    },
  }
}

/** A seed nobody has seen before; print it. */
export function newSeed(): string {
  return randomBytes(4).toString('hex')
}
