/** What the roles of an operation come to, for everybody who may ask and everything there may be. */

/**
 * Who has made what is asked for is the owner. `linked` has no token, and a link that the server signed:
 * one to what is asked for if there are such, else one to something else.
 */
export const callers = [
  ...(['nobody', 'garbage', 'expired', 'linked', 'other', 'owner', 'storage', 'admin'] as const),
]
export type Caller = (typeof callers)[number]

/**
 * `unfinished` is an upload that goes on, `shown` an image in a post; `missing` is nothing, under a
 * name that could be one.
 */
export type Condition = 'there' | 'unfinished' | 'shown' | 'missing'

/** `in`: it is done, or refused for another reason than who asks. */
export type Expectation = 'in' | 401 | 403 | 404

/**
 * By the words of src/auth/access.ts, and none of its code.
 * @param hasLink whether there is a link to what is asked for.
 */
export function expectation(
  roles: readonly string[],
  caller: Caller,
  condition: Condition,
  hasLink: boolean,
): Expectation {
  const has = (...some: string[]) => some.some((role) => roles.includes(role))
  if (has('anyone')) return 'in'
  if (caller === 'nobody' || caller === 'garbage' || caller === 'expired' || caller === 'linked') {
    if (condition === 'unfinished' && has('holder')) return 'in'
    if (caller === 'linked' && hasLink && has('link')) return 'in'
    const isByLink = roles.every((role) => role === 'link')
    return isByLink && (caller === 'nobody' || caller === 'linked') ? 403 : 401
  }
  const isIn = (caller === 'admin' && has('admin')) || (caller === 'storage' && has('storage'))
  if (!isIn && !has('user', 'owner', 'viewer', 'holder')) return 403
  if (condition === 'missing') return 404
  if (condition === 'shown' && has('viewer')) return 'in'
  return isIn || has('user') || (caller === 'owner' && has('owner')) ? 'in' : 404
}
