import { Readable } from 'node:stream'
import { create as contentDisposition } from 'content-disposition'
import fresh from 'fresh'
import type { Context } from 'hono'
import parseRange from 'range-parser'
import { AppError } from '../errors.ts'
import type { ByteRange, ObjectStorage } from '../storage/contract.ts'
import { problemResponse } from './problem.ts'

export interface Content {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Without quotes. The bytes under it never change. */
  readonly etag: string
  readonly contentType: string
  readonly filename?: string | undefined
  /** False while the type may still be found to be another one. */
  readonly settled?: boolean
}

/** Types that a browser shows without running anything of them. Everything else is a download. */
const inert = /^(image\/(jpeg|png|webp|gif|avif|tiff)|video\/[\w.+-]+|audio\/[\w.+-]+)$/

/**
 * Answers with an object's bytes: HEAD, conditional requests (RFC 9110, 13), one byte range (14),
 * and headers under which no type can run as a page of this server.
 */
export async function serveContent(
  c: Context,
  storage: ObjectStorage,
  content: Content,
): Promise<Response> {
  const headers = contentHeaders(content)
  if (fresh(c.req.header(), { etag: headers.get('ETag') ?? '' })) {
    return new Response(null, { status: 304, headers })
  }
  const range = requestedRange(c, content)
  if (range === 'unsatisfiable') return outOfRange(content)
  headers.set('Content-Type', content.contentType)
  headers.set('Content-Length', String(range ? range.end - range.start + 1 : content.size))
  if (range) headers.set('Content-Range', `bytes ${range.start}-${range.end}/${content.size}`)
  const body = await openBody(c, storage, content, range)
  return new Response(body, { status: range ? 206 : 200, headers })
}

function contentHeaders({ etag, contentType, filename, settled = true }: Content): Headers {
  const headers = new Headers({
    ETag: `"${etag}"`,
    'Accept-Ranges': 'bytes',
    'Cache-Control': settled ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'Cross-Origin-Resource-Policy': 'cross-origin',
  })
  const type = inert.test(contentType) ? 'inline' : 'attachment'
  headers.set('Content-Disposition', contentDisposition(filename, { type }))
  return headers
}

/** Several ranges at once are answered with the whole, which RFC 9110 allows. */
function requestedRange(
  c: Context,
  { etag, size }: Content,
): ByteRange | 'unsatisfiable' | undefined {
  const header = c.req.header('Range')
  const condition = c.req.header('If-Range')
  if (!header || (condition && condition !== `"${etag}"`)) return undefined
  const ranges = parseRange(size, header, { combine: true })
  if (ranges === -1) return 'unsatisfiable'
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return undefined
  return ranges[0]
}

function outOfRange({ size }: Content): Response {
  const message = `There are ${size} bytes, and none in the range asked for.`
  const response = problemResponse(new AppError('range-not-satisfiable', 416, message))
  response.headers.set('Content-Range', `bytes */${size}`)
  return response
}

async function openBody(
  c: Context,
  storage: ObjectStorage,
  { key, size }: Content,
  range: ByteRange | undefined,
): Promise<ReadableStream | null> {
  if (c.req.method === 'HEAD' || size === 0) return null
  const stream = await storage.read(key, range, c.req.raw.signal)
  return Readable.toWeb(stream)
}
