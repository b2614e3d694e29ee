import type { Context, TypedResponse } from 'hono'
import type { Page } from './cursor.ts'

/** A value as the bytes of its JSON: made once for what is sent again and again. */
export class Encoded<T> {
  /** Tells the types apart; nothing is there. */
  declare readonly of: T
  readonly bytes: Buffer

  constructor(value: T) {
    this.bytes = Buffer.from(JSON.stringify(value))
  }
}

const comma = Buffer.from(',')

type JsonAnswer<T> = Response & TypedResponse<T, 200, 'json'>

/** Answers as `c.json` does with a page of the values themselves. */
export function sendPage<T>(c: Context, page: Page<Encoded<T>>): JsonAnswer<Page<T>>
export function sendPage(
  { body }: Context,
  { items, nextCursor }: Page<Encoded<unknown>>,
): Response {
  const pieces = items.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [comma, bytes]))
  const end = `],"nextCursor":${JSON.stringify(nextCursor)}}`
  const bytes = Buffer.concat([Buffer.from('{"items":['), ...pieces, Buffer.from(end)])
  return body(bytes, 200, { 'Content-Type': 'application/json' })
}
