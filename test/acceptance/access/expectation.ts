/** What the roles of an operation come to, for everybody who may ask and everything there may be. */

/** Who has uploaded what is asked for is the owner. */
export const callers = ['nobody', 'garbage', 'expired', 'other', 'owner', 'admin'] as const
export type Caller = (typeof callers)[number]

/** `unfinished` is an upload that goes on; `missing` is nothing, under a name that could be one. */
export type Condition = 'there' | 'unfinished' | 'missing'

/** `in`: it is done, or refused for another reason than who asks. */
export type Expectation = 'in' | 401 | 403 | 404

/** By the words of src/auth/access.ts, and none of its code. */
export function expectation(
  roles: readonly string[],
  caller: Caller,
  condition: Condition,
): Expectation {
  const has = (...some: string[]) => some.some((role) => roles.includes(role))
  if (has('anyone')) return 'in'
  if (caller === 'nobody' || caller === 'garbage' || caller === 'expired') {
    if (condition === 'unfinished' && has('holder')) return 'in'
    const isByLink = roles.every((role) => role === 'link')
    return isByLink && caller === 'nobody' ? 403 : 401
  }
  const isAdmin = caller === 'admin' && has('admin')
  if (!isAdmin && !has('user', 'owner', 'viewer', 'holder')) return 403
  if (condition === 'missing') return 404
  return isAdmin || has('user') || (caller === 'owner' && has('owner')) ? 'in' : 404
}
