import { AppError } from '../errors.ts'
import { isId } from '../ids.ts'

export interface Page<T> {
  readonly items: T[]
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null
}

/** Where a list goes on that is in the order of a number, and of ids where that is the same. */
export interface Ranked {
  readonly rank: number
  readonly id: string
}

/** What a column of 32 bits can hold. */
const mostRank = 2 ** 31 - 1

/** @throws AppError `bad-cursor` (400) for one that this server did not give out. */
export function readCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const id = decode(cursor)
  if (!isId(id)) throw badCursor()
  return id
}

/** @throws AppError `bad-cursor` (400) for one that this server did not give out for such a list. */
export function readRankedCursor(cursor: string | undefined): Ranked | undefined {
  if (cursor === undefined) return undefined
  const [, rank = '', id = ''] = /^(0|[1-9]\d{0,9}) (.*)$/.exec(decode(cursor)) ?? []
  if (rank === '' || Number(rank) > mostRank || !isId(id)) throw badCursor()
  return { rank: Number(rank), id }
}

/**
 * A page from a list that was asked for one item more than the page holds.
 * @param rankOf of a list that is in the order of a number first.
 */
export function toPage<T extends { readonly id: string }, V>(
  found: readonly T[],
  limit: number,
  view: (item: T) => V,
  rankOf?: (item: T) => number,
): Page<V> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const more = found.length > limit && last
  const position = last && (rankOf ? `${rankOf(last)} ${last.id}` : last.id)
  return { items: items.map(view), nextCursor: more && position ? encode(position) : null }
}

function encode(position: string): string {
  return Buffer.from(position).toString('base64url')
}

/** Only what is written as `encode` writes it: the decoder of Node passes over what is none. */
function decode(cursor: string): string {
  const position = Buffer.from(cursor, 'base64url').toString()
  if (encode(position) !== cursor) throw badCursor()
  return position
}

function badCursor(): AppError {
  return new AppError('bad-cursor', 400, 'The cursor is not one this server gave out.')
}
