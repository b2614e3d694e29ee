import { STATUS_CODES } from 'node:http'
import { z } from '@hono/zod-openapi'
import { challengeOf } from '../auth/challenge.ts'
import { AppError } from '../errors.ts'
import { TooManyUploadsError } from '../uploads/limits/errors.ts'
import { rateFields } from '../uploads/limits/rate.ts'

export const problemType = 'application/problem+json'

/** RFC 9457; `code` is stable and meant for programs, `detail` for people. */
export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'about:blank' }),
    title: z.string().openapi({ example: 'Not Found' }),
    status: z.int().min(400).max(599).openapi({ example: 404 }),
    detail: z.string().openapi({ example: 'There is no such image.' }),
    code: z.string().openapi({ example: 'image-not-found' }),
  })
  .openapi('Problem')

/** The one place where an error becomes an answer of the API. */
export function problemResponse(error: AppError): Response {
  const problem: z.infer<typeof problemSchema> = {
    type: 'about:blank',
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
  }
  const headers = new Headers({ 'Content-Type': problemType, 'Cache-Control': 'no-store' })
  if (error.retryAfter !== undefined) headers.set('Retry-After', String(error.retryAfter))
  const challenge = challengeOf(error)
  if (challenge) headers.set('WWW-Authenticate', challenge)
  if (error instanceof TooManyUploadsError) {
    for (const [name, value] of Object.entries(rateFields(error.rate))) headers.set(name, value)
  }
  return new Response(JSON.stringify(problem), { status: error.status, headers })
}

export function notFound(
  what:
    | 'image'
    | 'upload'
    | 'preset'
    | 'rendition'
    | 'post'
    | 'comment'
    | 'avatar'
    | 'job'
    | 'page',
): AppError {
  return new AppError(`${what}-not-found`, 404, `There is no such ${what}.`)
}
