import { createHash, randomBytes } from 'node:crypto'

export interface Random {
  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number
}

/** The same seed gives the same numbers, so that a failure can be run again. */
export function seededRandom(seed: string | number): Random {
  let drawn = 0
  return {
    integer(min, max) {
      const digest = createHash('sha256').update(`${seed}:${drawn++}`).digest()
      return min + (digest.readUIntBE(0, 6) % (max - min + 1))
    },
  }
}

/** A seed nobody has seen before; print it. */
export function newSeed(): string {
  return randomBytes(4).toString('hex')
}
