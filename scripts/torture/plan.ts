import type { Random } from '../../test/support/random.ts'
import type { Claim } from './checksums.ts'
import { type Interop, interops } from './dialect.ts'

/** What a client makes of one upload. */
export interface Plan {
  /** Whether it is an upload of its own, one that others are joined to, or one of these. */
  readonly role: 'single' | 'final' | 'part'
  /** The version of the IETF protocol it is sent by; undefined: tus. */
  readonly interop: Interop | undefined
  /** How likely it is asked about in the other protocol. */
  readonly asksInOther: number
  /** How likely a request says the digest of its bytes. */
  readonly claims: number
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

/** How often bytes come with a digest that is not theirs, of those that come with one. */
const wrongShare = 0.15

export function drawPlan(random: Random, size: number, without: ReadonlySet<string>): Plan {
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
    ...drawProtocol(random, without),
  }
}

function drawProtocol(
  random: Random,
  without: ReadonlySet<string>,
): Pick<Plan, 'role' | 'interop' | 'asksInOther' | 'claims'> {
  const drawn = random.chance(0.3) ? random.pick(interops) : undefined
  const interop = without.has('ietf') ? undefined : drawn
  const asksInOther = random.pick([0, 0, 0.5])
  // All requests to a tus upload, or none; of others some.
  const claims = random.chance(0.3) ? (interop ? 0.6 : 1) : 0
  return {
    role: 'single',
    interop,
    asksInOther: without.has('ietf') ? 0 : asksInOther,
    claims: without.has('checksums') ? 0 : claims,
  }
}

/** What a request says of so many bytes. Of none it says what is right: there is nothing to take. */
export function drawClaim({ claims }: Plan, random: Random, size: number): Claim {
  if (!random.chance(claims)) return 'none'
  return size > 0 && random.chance(wrongShare) ? 'wrong' : 'right'
}

/** Where a request ends that begins at an offset. */
export function drawEnd({ chunk }: Plan, random: Random, offset: number, end: number): number {
  return Math.min(end, offset + random.integer(...chunk))
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
