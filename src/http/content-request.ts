/** What a GET or HEAD asks for besides the whole: RFC 9110, 13 (conditions) and 14 (ranges). */
import fresh from 'fresh'
import parseRange from 'range-parser'
import type { ByteRange } from '../storage/contract.ts'

export interface ContentRequest {
  readonly method: string
  header(name: string): string | undefined
}

/** A condition that was not met: `failed` is 412, `unmodified` 304. */
export type Precondition = 'failed' | 'unmodified'

/**
 * Looks at `If-Match`, then `If-None-Match` (13.2.2). Those that go by date have no meaning here, as
 * there is no `Last-Modified`.
 * @param etag strong, in quotes, without a comma in it.
 */
export function preconditionOf(request: ContentRequest, etag: string): Precondition | undefined {
  const match = request.header('If-Match')
  if (match !== undefined && !listsStrongly(match, etag)) return 'failed'
  // Without `Cache-Control`, on which `fresh` would answer in full: that field is for caches.
  const noneMatch = { 'if-none-match': request.header('If-None-Match')?.trim() }
  return fresh(noneMatch, { etag }) ? 'unmodified' : undefined
}

/** By strong comparison (8.8.3.2): a weak tag is none of ours. */
function listsStrongly(list: string, etag: string): boolean {
  return list.split(',').some((each) => each.trim() === etag || each.trim() === '*')
}

/**
 * The range asked for, or undefined for the whole: that is also the answer to several ranges, to units
 * nobody knows, to `If-Range` with another tag, and to any method but GET, all of which 14.2 and 13.1.5
 * allow or demand.
 */
export function requestedRange(
  { method, header }: ContentRequest,
  etag: string,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const range = header('Range')
  const condition = header('If-Range')
  if (method !== 'GET' || range === undefined || size === 0) return undefined
  if (!/^bytes=/i.test(range) || (condition ?? etag) !== etag) return undefined
  const ranges = parseRange(size, withinSize(range, size), { combine: true })
  if (ranges === -1) return 'unsatisfiable'
  return ranges === -2 || ranges.length !== 1 ? undefined : ranges[0]
}

/** The last 5,000 bytes of 1,000 are all of them (14.1.2), which the parser does not know. */
function withinSize(range: string, size: number): string {
  return range.replace(/([=,]\s*)-(\d+)/g, (_, before: string, length: string) => {
    return `${before}-${Math.min(Number(length), size)}`
  })
}
