import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { preconditionOf } from './content-request.ts'

/** What stays the same as long as the program runs. */
export interface FixedContent {
  /** With quotes. */
  readonly etag: string
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
}

export function fixedContent(contentType: string, content: string | Uint8Array): FixedContent {
  const body = new Uint8Array(Buffer.from(content))
  const digest = createHash('sha256').update(body).digest('base64url')
  return { etag: `"${digest}"`, contentType, body }
}

/** Answers GET and HEAD with it; what is kept of it is asked for again, as the next version has another. */
export function answerFixed(
  c: Context,
  { etag, contentType, body }: FixedContent,
  more: Readonly<Record<string, string>> = {},
): Response {
  const headers = {
    ETag: etag,
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    ...more,
  }
  const request = { method: c.req.method, header: (name: string) => c.req.header(name) }
  // Nobody changes it, so that If-Match has no meaning here.
  if (preconditionOf(request, etag) === 'unmodified') {
    return c.body(null, 304, headers)
  }
  const whole = { 'Content-Type': contentType, 'Content-Length': String(body.length) }
  return c.body(body, 200, { ...headers, ...whole })
}
