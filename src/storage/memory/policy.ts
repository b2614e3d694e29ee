/**
 * Who gets memory, when there is not enough for all.
 *
 * Each upload has a claim: the block that it fills with what arrives, and blocks that are being
 * stored, which come back by themselves. A block is taken when bytes have arrived for it, the first
 * one small, so that uploads that do nothing hold nothing. When the budget is spent, an upload that
 * needs more waits, its body stays unread, and:
 *
 * 1. Of those who wait, the one with the largest block goes first, since it is the nearest to
 *    giving all of it back; one that just filled a part within moments counts as if its block were
 *    larger. Whoever waited too long goes before, so that nobody waits for ever. An eighth of the
 *    budget is kept for small blocks: small files do not queue behind large ones.
 * 2. Uploads whose clients have been silent for a moment are told to store what they have and to
 *    free it, the largest first, as many as are needed. They come back with less right: what they
 *    take must leave room for others, and each time they wait longer before they go first. Those
 *    that stand still are told before anybody waits, once more than half of the budget is held,
 *    until they hold an eighth, so that whoever comes has room at once; each time it takes longer
 *    until one counts as that.
 * 3. When all blocks are being filled by clients that do send, nothing would ever come back: one
 *    waiting upload at a time may go over the budget until its part is full, for a slice of time.
 *    When that is over and the part is not full, it is told to store what it has, too.
 *
 * So memory never exceeds the budget by more than one part (and, for the moment of a copy, one
 * smaller block), and whatever clients do, somebody always goes on.
 */
const KiB = 2 ** 10
const MiB = 2 ** 20

/** Sizes of a block on its way to a full part. */
const steps = [64 * KiB, 512 * KiB, 4 * MiB, 32 * MiB, 256 * MiB]
const smallBlock = 512 * KiB

const fastBonus = 4 * MiB

/** Milliseconds. */
export const silence = 250
const patience = 10_000
const longestPatience = 60_000
const overdraftDelay = 500
const standstill = 1_000
/** Storage that takes longer is not waited for. */
const prompt = 2_000

/** Bytes: an upload that got less while it waited for its client for so long stands still. */
export const pace = 16 * KiB

export interface Claim {
  /** Bytes of the block that is being filled. */
  readonly filling: number
  /** Bytes of the blocks that are being stored. */
  readonly storing: number
  /** What it waits for: a block of `size` bytes in place of the one it fills, since a time. */
  readonly wants: { readonly size: number; readonly since: number } | undefined
  /** Since when it waits for its client; undefined while it does something else. */
  readonly silentSince: number | undefined
  /** Milliseconds for which it waited for its client before, since `pace` bytes came. */
  readonly waited: number
  /** When it was told to store what it has; undefined once it has done so. */
  readonly spillingSince: number | undefined
  /** How often it was, since it last filled a part. */
  readonly spills: number
  /** Whether it may go over the budget. */
  readonly overdraws: boolean
  /** Whether it filled its last part within moments. */
  readonly isFast: boolean
}

/** The size of the block for so many bytes of a part of `full` bytes. */
export function blockSize(bytes: number, full: number): number {
  return Math.min(full, steps.find((step) => step >= bytes) ?? full)
}

/** What a claim that wants this block must find free beside it. */
export function keptFree(claim: Pick<Claim, 'filling' | 'spills'>, size: number, limit: number) {
  const returning = claim.spills > 0 && claim.filling === 0
  if (returning) return limit / 4
  return size <= smallBlock ? 0 : limit / 8
}

/** Those that can have what they want, in the order in which they get it. */
export function grants<C extends Claim>(claims: readonly C[], limit: number, now: number): C[] {
  const reserve = limit / 8
  let free = limit - sum(claims, heldBy)
  let small = sum(claims, ({ filling }) => (filling <= smallBlock ? filling : 0))
  let blocked = false
  return inOrder(claims, now).filter((claim) => {
    const size = claim.wants?.size ?? 0
    const more = size - claim.filling
    const isSmall = size <= smallBlock && claim.spills === 0
    const fits = !blocked && free - more >= keptFree(claim, size, limit)
    const fitsReserve = isSmall && free >= more && small + more <= reserve
    if (!claim.overdraws && !fits && !fitsReserve) {
      blocked = true
      return false
    }
    free -= more
    if (isSmall) small += more
    return true
  })
}

/**
 * Those that are to store what they have: nobody hears of their clients while others wait, or they
 * stand still and hold too much together.
 */
export function spillers<C extends Claim>(claims: readonly C[], limit: number, now: number): C[] {
  const holding = claims.filter(
    ({ filling, spillingSince }) => filling > 0 && spillingSince === undefined,
  )
  const still = holding.filter((claim) => standsStill(claim, now))
  const silent = holding.filter((claim) => standsStill(claim, now) || isSilent(claim, now))
  const tooMuch = Math.min(sum(still, fillingOf) - limit / 8, stayingOf(claims, now) - limit / 2)
  return [...new Set([...largest(still, tooMuch), ...largest(silent, missing(claims, limit, now))])]
}

/** Bytes that are held, and not about to be given back. */
function stayingOf(claims: readonly Claim[], now: number): number {
  return sum(claims, (claim) => heldBy(claim) - returningFrom(claim, now))
}

/** Bytes that those who wait will not find. */
function missing(claims: readonly Claim[], limit: number, now: number): number {
  const wanted = sum(claims, ({ wants, filling }) => (wants ? wants.size - filling : 0))
  if (wanted === 0) return 0
  const free = limit - sum(claims, heldBy)
  const returning = sum(claims, (claim) => returningFrom(claim, now))
  const kept = claims.map((claim) => (claim.wants ? keptFree(claim, claim.wants.size, limit) : 0))
  return wanted + Math.max(0, ...kept) - Math.max(0, free) - returning
}

/** As many of them, the largest first, as hold so much. */
function largest<C extends Claim>(claims: readonly C[], bytes: number): C[] {
  let rest = bytes
  return [...claims]
    .sort((a, b) => b.filling - a.filling)
    .filter(({ filling }) => {
      if (rest <= 0) return false
      rest -= filling
      return true
    })
}

/** The one that may go over the budget now, when what comes back by itself would not be enough. */
export function overdrawer<C extends Claim>(claims: readonly C[], now: number): C | undefined {
  const [first] = inOrder(claims, now)
  if (!first?.wants) return undefined
  const { size, since } = first.wants
  const coming = sum(claims, (claim) => {
    const quiet = claim.silentSince !== undefined && now - claim.silentSince > silence / 5
    return claim.storing + (claim.spillingSince !== undefined || quiet ? claim.filling : 0)
  })
  const enough = coming >= size - first.filling
  return enough && now - since < overdraftDelay ? undefined : first
}

/** Milliseconds for which an upload may go over the budget to fill a part of `full` bytes. */
export function overdraftSlice(full: number): number {
  return 2_000 + 100 * Math.ceil(full / MiB)
}

function inOrder<C extends Claim>(claims: readonly C[], now: number): C[] {
  const waiting = claims.filter(({ wants }) => wants)
  return waiting.sort((a, b) => {
    const [agedA, agedB] = [isAged(a, now), isAged(b, now)]
    if (agedA !== agedB) return agedA ? -1 : 1
    const earlier = (a.wants?.since ?? 0) - (b.wants?.since ?? 0)
    if (agedA) return earlier
    return rank(b) - rank(a) || a.spills - b.spills || earlier
  })
}

function isSilent({ silentSince }: Claim, now: number): boolean {
  return silentSince !== undefined && now - silentSince >= silence
}

function standsStill({ silentSince, waited, spills }: Claim, now: number): boolean {
  const limit = Math.min(longestPatience, standstill * 2 ** Math.min(spills, 10))
  return silentSince !== undefined && waited + now - silentSince >= limit
}

function rank({ filling, isFast }: Claim): number {
  return filling + (isFast ? fastBonus : 0)
}

function isAged({ wants, spills }: Claim, now: number): boolean {
  const limit = Math.min(longestPatience, patience * 2 ** Math.min(spills, 10))
  return wants !== undefined && now - wants.since >= limit
}

function fillingOf({ filling }: Claim): number {
  return filling
}

function heldBy({ filling, storing }: Claim): number {
  return filling + storing
}

/** Bytes that soon come back for others: it was told to give up all it has, and storage is not stuck. */
function returningFrom(claim: Claim, now: number): number {
  const { spillingSince = -Infinity } = claim
  return now - spillingSince < prompt ? heldBy(claim) : 0
}

function sum<C>(items: readonly C[], value: (item: C) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
