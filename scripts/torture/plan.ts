import type { Random } from '../../test/support/random.ts'

/** What a client makes of one upload. */
export interface Plan {
  /** How the upload begins: its length is told at once, or with the last bytes. */
  readonly isDeferred: boolean
  /** Bytes sent along with the request that creates it. */
  readonly sentAtOnce: number
  /** How many bytes a request carries, at least and at most. */
  readonly chunk: readonly [min: number, max: number]
  /** Whether another client sends the same upload at the same time. */
  readonly hasCompanion: boolean
  /** How likely the client asks where it stands although it knows. */
  readonly curiosity: number
  /** After this many milliseconds without a sign, the client gives a request up. */
  readonly patienceMs: number
  /**
   * `kept`: finished, and there until the end. `deleted`: removed once it was checked. `dropped`:
   * deleted in the middle. `forgotten`: left in the middle, and finished after all in the end.
   */
  readonly fate: 'kept' | 'deleted' | 'dropped' | 'forgotten'
  /** Where a dropped or forgotten upload is left. */
  readonly leftAt: number
}

const KiB = 2 ** 10
const MiB = 2 ** 20
/** A file takes at most about so many requests. */
const mostRequests = 25

export function drawPlan(random: Random, size: number): Plan {
  const fate = random.chance(0.12)
    ? random.pick(['dropped', 'forgotten'] as const)
    : random.pick(['kept', 'deleted', 'deleted', 'deleted'] as const)
  const isDeferred = random.chance(0.2)
  return {
    isDeferred,
    sentAtOnce: !random.chance(0.45) ? 0 : random.chance(0.5) ? size : random.integer(0, size),
    chunk: drawChunk(random, size),
    hasCompanion: !isDeferred && size > 0 && random.chance(0.1),
    curiosity: random.pick([0, 0.1, 0.5]),
    patienceMs: random.integer(3_000, 15_000),
    fate,
    leftAt: random.integer(0, Math.max(size - 1, 0)),
  }
}

function drawChunk(random: Random, size: number): Plan['chunk'] {
  const [min, max] = random.pick([
    [1, 64 * KiB],
    [64 * KiB, MiB],
    [MiB, 8 * MiB],
    [5 * MiB, 5 * MiB],
    [size, size],
  ] as const)
  const least = Math.ceil(size / mostRequests)
  return [Math.max(1, min, least), Math.max(1, max, 2 * least)]
}
