import { AppError } from '../errors.ts'
import { isId } from '../ids.ts'

export interface Page<T> {
  readonly items: T[]
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null
}

/** @throws AppError `bad-cursor` (400) for one that this server did not give out. */
export function readCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const id = Buffer.from(cursor, 'base64url').toString()
  if (!isId(id))
    throw new AppError('bad-cursor', 400, 'The cursor is not one this server gave out.')
  return id
}

/** A page from a list that was asked for one item more than the page holds. */
export function toPage<T extends { readonly id: string }, V>(
  found: readonly T[],
  limit: number,
  view: (item: T) => V,
): Page<V> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const more = found.length > limit && last
  return {
    items: items.map(view),
    nextCursor: more ? Buffer.from(last.id).toString('base64url') : null,
  }
}
