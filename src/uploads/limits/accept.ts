/** Which media types are taken, in the form of HTML's `accept` but for file extensions. */

/** Media types, and ranges of them such as `image/*`, in small letters; undefined for every type. */
export type Accept = readonly string[] | undefined

const token = String.raw`[\w!#$&^.+-]+`
const range = new RegExp(String.raw`^(?:\*/\*|${token}/(?:\*|${token}))$`)

/** From `image/*, video/mp4`; undefined for what is not such a list. */
export function parseAccept(raw: string): string[] | undefined {
  const ranges = raw.split(',').map((each) => each.trim().toLowerCase())
  return ranges.every((each) => range.test(each)) ? [...new Set(ranges)] : undefined
}

/** Bytes of which nothing else is known (RFC 2046, 4.5.1). */
const unknownType = 'application/octet-stream'

/** Types that say nothing about a file: of bytes as such, and of those of the IETF draft. */
const saysNothing: readonly string[] = [unknownType, 'application/partial-upload']

/** Whether an upload may begin that is said to be of a type. Of one that says nothing its content tells. */
export function acceptsDeclared(accept: Accept, type: string | undefined): boolean {
  return type === undefined || saysNothing.includes(type) || matches(accept, type)
}

/**
 * Whether content is taken that is of a type by its first bytes. What begins like no known format,
 * as text does, is bytes as such.
 */
export function acceptsFound(accept: Accept, type: string | undefined): boolean {
  return matches(accept, type ?? unknownType)
}

function matches(accept: Accept, type: string): boolean {
  if (accept === undefined) return true
  const [main = ''] = type.split('/', 1)
  return accept.some((each) => each === type || each === `${main}/*` || each === '*/*')
}
