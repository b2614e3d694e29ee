const second = 1_000
const hour = 3_600 * second
/** A link is good for at most so long, and its upload is kept for as long again. */
const longest = hour
const soonestCheck = 30 * second
const mostBetweenChecks = 240 * second

export interface LinkTimes {
  /** Milliseconds that the link is good for. */
  readonly lifetime: number
  /** When the upload is given up: what was begun in time may need time to arrive. */
  readonly expiresAt: number
}

/** @param expiresIn milliseconds that unfinished uploads are kept for. */
export function linkTimes(now: number, expiresIn: number): LinkTimes {
  const lifetime = Math.min(longest, expiresIn)
  return { lifetime, expiresAt: now + 2 * lifetime }
}

/** When to look for the first time whether the bytes came. */
export function firstCheck(now: number, expiresIn: number): number {
  return now + pauseAfter(0, expiresIn)
}

/**
 * When to look again: after twice the time each, but every few minutes at least, and a last time when
 * the link is over, before the upload is given up.
 * @returns null when it need not be looked at any more.
 */
export function nextCheck(
  upload: { readonly createdAt: number; readonly expiresAt: number },
  now: number,
  expiresIn: number,
): number | null {
  const last = upload.expiresAt - soonest(expiresIn)
  const next = now + pauseAfter(now - upload.createdAt, expiresIn)
  if (next < last) return next
  return now < last ? last : null
}

function pauseAfter(age: number, expiresIn: number): number {
  return Math.max(soonest(expiresIn), Math.min(age, mostBetweenChecks))
}

/** Links that are good for a short time only are looked after more closely. */
function soonest(expiresIn: number): number {
  return Math.min(soonestCheck, Math.floor(linkTimes(0, expiresIn).lifetime / 4))
}
