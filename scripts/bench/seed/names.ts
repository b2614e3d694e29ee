/** The ids and people of a seeded database, told by number: who asks for them need not look them up. */

const yearMs = 365 * 86_400_000
const firstImageAt = Date.UTC(2023, 0)
const firstCommentAt = Date.UTC(2024, 0)

/** Of each image and post. */
export const commentsPerPost = 10
const owners = 5_000

/** What there is of something, by its number from 0: ids sort by their numbers. */
export interface Named {
  readonly count: number
  id(number: number): string
  /** Milliseconds since 1970. */
  createdAt(number: number): number
}

export interface Names {
  readonly images: Named
  /** Each shows the image of its own number. */
  readonly posts: Named
  /** Later than any post. */
  readonly comments: Named
}

/** The names in a database of so many images, as many posts, and comments on them. */
export function namesOf(count: number): Names {
  return {
    images: spread(count, firstImageAt, 1),
    posts: spread(count, firstImageAt + 5_000, 2),
    comments: spread(count * commentsPerPost, firstCommentAt, 3),
  }
}

/** Evenly over a year. */
function spread(count: number, firstAt: number, kind: number): Named {
  const createdAt = (number: number) => firstAt + Math.floor((number * yearMs) / count)
  return { count, createdAt, id: (number) => uuidV7(createdAt(number), number * 4 + kind) }
}

/** The person behind a number; several thousand of them have something to say. */
export function ownerOf(number: number): string {
  return `user-${mixed(number) % owners}`
}

/**
 * A number below `count`, some far likelier than others: of a million, one gets a thousandth of all.
 * They are spread over the whole range. @param chance from 0 up to 1.
 */
export function popular(count: number, chance: number): number {
  const rank = Math.floor(chance * chance * count)
  return (rank * 7_919) % count
}

/** 32 bits that look like chance and are the same every time (the finalizer of MurmurHash3). */
export function mixed(number: number): number {
  let bits = number | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** RFC 9562, with what only looks like chance. */
function uuidV7(ms: number, seed: number): string {
  const time = hex(ms, 12)
  const one = hex(mixed(seed), 8)
  const two = hex(mixed(seed + 0x5bd1e995), 8)
  const tail = `7${one.slice(0, 3)}-8${one.slice(3, 6)}-${one.slice(6)}${two}`
  return `${time.slice(0, 8)}-${time.slice(8)}-${tail}${one.slice(0, 2)}`
}

export function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
