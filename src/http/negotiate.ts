import { parseAccept } from 'hono/utils/accept'

/** What negotiation needs to know of a representation. */
export interface Candidate {
  readonly format: string
  readonly contentType: string
}

/** Formats from the one that most programs can show to the one that the fewest can. */
const mostCompatibleFirst = ['jpeg', 'png', 'webp', 'avif']

/**
 * Chooses among formats of the same picture by `Accept` (RFC 9110, 12.5.1).
 *
 * - Of those that the client names, the one with the highest weight; of equal ones the first given.
 * - A client that names none, but sends a wildcard or no such field at all, does not say what it can
 *   decode. It gets the one that most programs can.
 * - `q=0` excludes. When nothing is left the field is disregarded, which 12.5.1 allows: to whoever
 *   said it too narrowly (a proxy, a program that sends `Accept: application/json` everywhere) a
 *   picture is of more use than 406.
 *
 * @param candidates in the order of preference.
 * @returns undefined when there are none.
 */
export function negotiate<T extends Candidate>(
  accept: string | undefined,
  candidates: readonly T[],
): T | undefined {
  const weights = weightsOf(accept ?? '')
  const weightOf = ({ contentType }: T) => weights.get(contentType)
  const [named] = candidates
    .filter((one) => (weightOf(one) ?? 0) > 0)
    .toSorted((a, b) => (weightOf(b) ?? 0) - (weightOf(a) ?? 0))
  const compatible = candidates.toSorted((a, b) => rankOf(a) - rankOf(b))
  return named ?? compatible.find((one) => weightOf(one) === undefined) ?? compatible[0]
}

/** The weight of each range by its type; of one that is given several times, the highest. */
function weightsOf(accept: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const { type, q } of parseAccept(accept)) {
    const known = type.toLowerCase()
    weights.set(known, Math.max(q, weights.get(known) ?? 0))
  }
  return weights
}

function rankOf({ format }: Candidate): number {
  const rank = mostCompatibleFirst.indexOf(format)
  return rank < 0 ? mostCompatibleFirst.length : rank
}
