import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import type { HttpEnvironment } from './context.ts'
import { notFound, problemResponse } from './problem.ts'

/** A router whose parameters are checked against their schemas, with problem documents for misfits. */
export function createRouter(): OpenAPIHono<HttpEnvironment> {
  return new OpenAPIHono<HttpEnvironment>({ defaultHook: refuseInvalid })
}

interface Validation {
  readonly target: string
  readonly success: boolean
  readonly error?: { readonly issues: ReadonlyArray<{ path: PropertyKey[]; message: string }> }
}

/** A path that does not fit, such as an id that cannot be one, is simply not there. */
function refuseInvalid({ target, success, error }: Validation, c: Context): Response | undefined {
  if (success) return undefined
  if (target === 'param') return problemResponse(notFound(subjectOf(c.req.path)))
  const reasons = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  return problemResponse(new AppError('bad-request', 400, reasons.join('; ')))
}

function subjectOf(path: string): 'upload' | 'post' | 'comment' | 'avatar' | 'job' | 'image' {
  if (/^\/v1\/upload(s|-links)\//.test(path)) return 'upload'
  if (path.startsWith('/v1/posts/')) return 'post'
  if (path.startsWith('/v1/comments/')) return 'comment'
  if (path.startsWith('/v1/users/')) return 'avatar'
  return path.startsWith('/v1/admin/jobs/') ? 'job' : 'image'
}
