import { Readable } from 'node:stream'
import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import type { ByteRange, ObjectStorage, SignedLinks } from '../storage/contract.ts'
import { asAnswerOf } from './after-answer.ts'
import { type Content, headersOf, isLasting } from './content-headers.ts'
import { type Precondition, preconditionOf, requestedRange } from './content-request.ts'
import { problemResponse } from './problem.ts'

/**
 * Answers a GET or HEAD with an object's bytes: conditional requests (RFC 9110, 13), one byte range
 * (14), and headers under which no type can run as a page of this server.
 */
export type Deliver = (c: Context, content: Content) => Promise<Response>

/** How long a link to storage can be followed, and how long a client may follow it again, unasked. */
const linkSeconds = 300
const redirectSeconds = 240

/**
 * @param links Given: the bytes come from there, and this server answers with where they are.
 */
export function createDelivery(storage: ObjectStorage, links?: SignedLinks): Deliver {
  // What the handler says by `c.header`, as that its choice depends on Accept, is said as well.
  return async (c, content) => asAnswerOf(c, await answer(c, content))

  async function answer(c: Context, content: Content): Promise<Response> {
    const headers = headersOf(content)
    const request = { method: c.req.method, header: (name: string) => c.req.header(name) }
    const unmet = preconditionOf(request, headers.get('ETag') ?? '')
    if (unmet) return answerUnmet(unmet, headers)
    const range = requestedRange(request, headers.get('ETag') ?? '', content.size)
    if (range === 'unsatisfiable') return outOfRange(content)
    if (links && mayRedirect(c, content)) return redirect(links, content, headers)
    headers.set('Content-Length', String(range ? range.end - range.start + 1 : content.size))
    if (range) headers.set('Content-Range', `bytes ${range.start}-${range.end}/${content.size}`)
    const body = await openBody(c, storage, content, range)
    return new Response(body, { status: range ? 206 : 200, headers })
  }
}

function answerUnmet(unmet: Precondition, headers: Headers): Response {
  if (unmet === 'failed') {
    const message = 'The bytes here are not those that If-Match names.'
    return problemResponse(new AppError('precondition-failed', 412, message))
  }
  headers.delete('Content-Type')
  return new Response(null, { status: 304, headers })
}

function outOfRange({ size }: Content): Response {
  const message = `There are ${size} bytes, and none in the range asked for.`
  const response = problemResponse(new AppError('range-not-satisfiable', 416, message))
  response.headers.set('Content-Range', `bytes */${size}`)
  return response
}

/** What names our ETag is answered here: storage has others, and would take ours for other bytes. */
function mayRedirect(c: Context, { size }: Content): boolean {
  const namesEtag = c.req.header('If-Range') !== undefined || c.req.header('If-Match') !== undefined
  return c.req.method === 'GET' && size > 0 && !namesEtag
}

/**
 * 307 rather than 302: the method stays by definition, and either is kept only as long as it says
 * (RFC 9111, 4.2.2). Without an ETag, so that nobody can be told that an old link is still good.
 */
async function redirect(links: SignedLinks, content: Content, headers: Headers): Promise<Response> {
  const location = await links.signLink(content.key, {
    contentType: headers.get('Content-Type') ?? '',
    contentDisposition: headers.get('Content-Disposition') ?? '',
    cacheControl: headers.get('Cache-Control') ?? '',
    seconds: linkSeconds,
  })
  return new Response(null, {
    status: 307,
    headers: {
      Location: location,
      'Cache-Control': isLasting(content) ? `private, max-age=${redirectSeconds}` : 'no-store',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    },
  })
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
