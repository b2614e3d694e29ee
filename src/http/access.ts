import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import {
  type Caller,
  mayReach,
  type Rule,
  requireEntry,
  ruleOf,
  type Subject,
  tokenRequired,
} from '../auth/access.ts'
import type { Authenticator, Principal } from '../auth/principal.ts'
import type { SignedUrls } from '../auth/signed-urls.ts'
import { AppError } from '../errors.ts'
import type { HttpEnvironment } from './context.ts'
import { notFound } from './problem.ts'

export interface AccessDependencies {
  readonly authenticator: Authenticator
  readonly signedUrls: SignedUrls
}

/**
 * Finds out who makes a request, and lets in only those that the table of `auth/access.ts` lets in.
 * What the request is about is for the handler to ask, with `requireReach`.
 * @throws AppError 401 or 403 as `requireEntry` does, 404 for a path without a route.
 */
export function controlAccess(
  dependencies: AccessDependencies,
): MiddlewareHandler<HttpEnvironment> {
  return async (c, next) => {
    const rule = ruleOf(operationOf(c))
    if (!rule) throw notFound('page')
    c.set('rule', rule)
    c.set('caller', await identify(dependencies, c, rule))
    await next()
  }
}

async function identify(
  { authenticator, signedUrls }: AccessDependencies,
  c: Context<HttpEnvironment>,
  rule: Rule,
): Promise<Caller> {
  const { pathname, searchParams } = new URL(c.req.url)
  const hasLink = rule.includes('link') && signedUrls.verify(pathname, searchParams)
  try {
    const principal = await authenticator.authenticate(c.req.header('Authorization'))
    requireEntry(rule, { principal, hasLink })
    return { principal, hasLink }
  } catch (error) {
    // A token that is of no use, or cannot be checked, does no harm where none is needed.
    const nobody = { principal: undefined, hasLink }
    if (error instanceof AppError && isLetIn(rule, nobody)) return nobody
    throw error
  }
}

function isLetIn(rule: Rule, caller: Caller): boolean {
  try {
    requireEntry(rule, caller)
    return true
  } catch {
    return false
  }
}

/** As the table names it: `GET /v1/images/{id}`. */
function operationOf(c: Context): string {
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
  const path = matchedRoutes(c).findLast((route) => route.method === method)?.path ?? ''
  return `${method} ${path.replace(/:(\w+)/g, '{$1}')}`
}

/** Who makes a request to a route that is for users. @throws AppError `token-required` (401) */
export function userOf(c: Context<HttpEnvironment>): Principal {
  const { principal } = c.get('caller')
  if (!principal) throw tokenRequired()
  return principal
}

/**
 * What a request is about, if it may do what it wants to it.
 * @throws AppError `…-not-found` (404), as for what does not exist.
 */
export async function requireReach<T extends Subject>(
  c: Context<HttpEnvironment>,
  subject: T | undefined,
  what: Parameters<typeof notFound>[0],
): Promise<T> {
  if (subject && (await mayReach(c.get('rule'), c.get('caller'), subject))) return subject
  throw notFound(what)
}
