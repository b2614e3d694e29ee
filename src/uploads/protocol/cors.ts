/** CORS (Fetch standard) at the upload path: pages of other origins upload there. */
import type { UploadRequest } from './request.ts'

const stateFields = [
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Defer-Length',
  'Upload-Concat',
  'Upload-Complete',
  'Upload-Incomplete',
  'Upload-Draft-Interop-Version',
]
const exposed = [
  ...stateFields,
  'Upload-Expires',
  'Upload-Limit',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Repr-Digest',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'WWW-Authenticate',
  'X-Request-Id',
].join(', ')
const allowed = [
  ...stateFields,
  'Authorization',
  'Content-Digest',
  'Content-Disposition',
  'Content-Type',
  'Repr-Digest',
  'Tus-Resumable',
  'Upload-Checksum',
  'Want-Repr-Digest',
  'X-HTTP-Method-Override',
  'X-Request-ID',
  'X-Requested-With',
].join(', ')
const methods = 'POST, HEAD, PATCH, DELETE, GET, OPTIONS'
const preflightSeconds = '86400'

/** Adds what lets a page read an answer; @param origins those that may, or undefined for any. */
export function addCors(
  headers: Headers,
  request: UploadRequest,
  origins: readonly string[] | undefined,
): void {
  const origin = request.header('Origin')
  if (origins) {
    headers.append('Vary', 'Origin')
    if (origin === undefined || !origins.includes(origin)) return
  }
  headers.set('Access-Control-Allow-Origin', origins ? (origin ?? '') : '*')
  headers.set('Access-Control-Expose-Headers', exposed)
  if (request.method !== 'OPTIONS') return
  headers.set('Access-Control-Allow-Headers', allowed)
  headers.set('Access-Control-Allow-Methods', methods)
  headers.set('Access-Control-Max-Age', preflightSeconds)
}
