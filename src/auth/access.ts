/**
 * Who may do what. This table is the whole answer: a route that is not in it cannot be reached, and
 * nothing else decides.
 */
import { AppError } from '../errors.ts'
import type { Principal } from './principal.ts'

/**
 * What somebody can be to what a request is about.
 *
 * - `anyone`: nobody has to say who they are.
 * - `user`: whoever has said it.
 * - `owner`: whose it is: who uploaded, posted or said it.
 * - `viewer`: a user to whom its owner has shown it.
 * - `link`: whoever has a URL of it that this server signed, until that expires.
 * - `holder`: whoever knows the URL of an upload that is not finished. A client whose token expires
 *   in the middle of an upload goes on by it; another user's token opens nothing.
 * - `storage`: the storage that tells what arrived in it.
 * - `admin`: who looks after the server.
 */
export type Role = 'anyone' | 'user' | 'owner' | 'viewer' | 'link' | 'holder' | 'storage' | 'admin'

export type Rule = readonly Role[]

export const accessRules = {
  'GET /healthz': ['anyone'],
  'GET /readyz': ['anyone'],
  'GET /openapi.json': ['anyone'],
  'GET /docs': ['anyone'],
  'GET /docs/{file}': ['anyone'],
  'GET /v1/config': ['anyone'],

  'POST /files': ['user'],
  'HEAD /files/{id}': ['owner', 'holder', 'admin'],
  'PATCH /files/{id}': ['owner', 'holder', 'admin'],
  'DELETE /files/{id}': ['owner', 'holder', 'admin'],
  // Leads to its content, where it is asked who may have that.
  'GET /files/{id}': ['anyone'],

  'GET /v1/uploads': ['user'],
  'GET /v1/uploads/{id}': ['owner', 'admin'],
  'GET /v1/uploads/{id}/content': ['owner', 'link', 'admin'],

  'GET /v1/images': ['user'],
  'POST /v1/images': ['user'],
  'GET /v1/images/{id}': ['owner', 'viewer', 'admin'],
  'DELETE /v1/images/{id}': ['owner', 'admin'],
  'GET /v1/images/{id}/{preset}': ['owner', 'viewer', 'link', 'admin'],

  'POST /v1/upload-links': ['user'],
  'PUT /v1/upload-links/{id}/content': ['link'],
  'POST /v1/upload-links/{id}/complete': ['owner', 'admin'],
  'POST /v1/storage-events': ['storage', 'admin'],

  'GET /v1/posts': ['user'],
  'POST /v1/posts': ['user'],
  'GET /v1/posts/{id}': ['user'],
  'DELETE /v1/posts/{id}': ['owner', 'admin'],
  'GET /v1/posts/{id}/comments': ['user'],
  'POST /v1/posts/{id}/comments': ['user'],
  'DELETE /v1/comments/{id}': ['owner', 'admin'],

  'PUT /v1/me/avatar': ['user'],
  'DELETE /v1/me/avatar': ['user'],
  'GET /v1/users/{id}/avatar': ['user', 'link'],

  'GET /v1/admin/jobs': ['admin'],
  'POST /v1/admin/jobs/retry': ['admin'],
  'GET /v1/admin/jobs/{id}': ['admin'],
  'POST /v1/admin/jobs/{id}/retry': ['admin'],
  'DELETE /v1/admin/jobs/{id}': ['admin'],
} as const satisfies Readonly<Record<string, Rule>>

/** A method and the path of a route, as in `GET /v1/images/{id}`. */
export type Operation = keyof typeof accessRules

/** The rule of a route, if it has one. HEAD is asked for by the name of GET, except at `/files`. */
export function ruleOf(operation: string): Rule | undefined {
  return isOperation(operation) ? accessRules[operation] : undefined
}

function isOperation(operation: string): operation is Operation {
  return Object.hasOwn(accessRules, operation)
}

/** Who makes a request, as far as it is known. */
export interface Caller {
  readonly principal: Principal | undefined
  /** Whether the URL asked for is one that this server signed, and still good. */
  readonly hasLink: boolean
}

/** What a request is about. */
export interface Subject {
  readonly owner: string
  /** Whether its owner has shown it to the users of this server. Asked only where that matters. */
  readonly isShown?: (() => Promise<boolean>) | undefined
  /** Whether it is an upload that is not finished. */
  readonly isUnfinished?: boolean
}

/**
 * Whether a request may come in at all, before anybody looks at what it is about.
 * @throws AppError `token-required` (401) when it does not say who it speaks for, `not-an-admin`,
 * `link-required` (403) when that can never do this.
 */
export function requireEntry(rule: Rule, { principal, hasLink }: Caller): void {
  const has = (role: Role) => rule.includes(role)
  if (has('anyone') || has('holder') || (hasLink && has('link'))) return
  if (!principal) throw has('link') && rule.length === 1 ? linkRequired() : tokenRequired()
  if (has('user') || has('owner') || has('viewer')) return
  if (principal.isAdmin && has('admin')) return
  if (principal.isStorage && has('storage')) return
  throw has('admin') ? notAnAdmin() : linkRequired()
}

/** Whether all of it is for a request to see, and not only what its owner has shown to others. */
export function seesAll({ principal }: Caller, { owner }: Subject): boolean {
  return principal !== undefined && (principal.isAdmin || principal.id === owner)
}

/** Whether a request that came in may do it to this. What may not be reached is to be 404. */
export async function mayReach(rule: Rule, caller: Caller, subject: Subject): Promise<boolean> {
  const { principal, hasLink } = caller
  const has = (role: Role) => rule.includes(role)
  if (has('anyone') || (hasLink && has('link'))) return true
  if (!principal) return has('holder') && subject.isUnfinished === true
  if (has('user') || (has('owner') && subject.owner === principal.id)) return true
  if (has('admin') && principal.isAdmin) return true
  return has('viewer') && (await subject.isShown?.()) === true
}

/** For a request that has to say who it speaks for. */
export function tokenRequired(): AppError {
  return new AppError('token-required', 401, 'This needs a bearer token.')
}

function notAnAdmin(): AppError {
  return new AppError('not-an-admin', 403, 'This is for admins only.')
}

function linkRequired(): AppError {
  const message = 'The link is not one this server signed, or it has expired.'
  return new AppError('link-required', 403, message)
}
