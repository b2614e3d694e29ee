/** What is likely for a field by its name, which is more than a schema can tell. */
import fc from 'fast-check'
import { type Kind, Slot } from './slots.ts'
import type { Hint, Value } from './values.ts'

/** Those who may have a picture. */
const users = ['ada', 'ben', 'admin'] as const

function slot(kind: Kind): fc.Arbitrary<Slot> {
  return fc.nat({ max: 11 }).map((nth) => new Slot(kind, nth))
}

const forgedCursors = [
  '',
  '!',
  'AAAA',
  Buffer.from('{"id":1}').toString('base64url'),
  Buffer.from('00000000-0000-7000-8000-000000000000').toString('base64url'),
  Buffer.from('[1e999,"\0"]').toString('base64url'),
]

const likely: Readonly<Record<string, Value>> = {
  cursor: fc.oneof(
    { weight: 3, arbitrary: slot('cursor') },
    fc.constantFrom(...forgedCursors),
    slot('post'),
  ),
  imageId: slot('image'),
  preset: fc.constantFrom('thumb', 'small', 'medium', 'large', 'original', 'none'),
  format: fc.constantFrom('webp', 'avif', 'jpeg', 'png', 'gif'),
  filename: fc.constantFrom('a.jpg', 'größe.png', '../x', 'a"b;c'),
  contentType: fc.constantFrom('image/jpeg', 'image/png', 'text/plain', 'a/b; c=d', '*/*'),
  // Long waits would hold up everything behind them.
  wait: fc.constantFrom(0, 1, 2),
  kind: fc.constantFrom('image.convert', 'image.reconvert', 'uploads.discard', 'none'),
  accept: fc.constantFrom('image/webp', 'image/avif,*/*;q=0.1', 'text/html', '*/*', ';;;'),
  range: fc.constantFrom('bytes=0-9', 'bytes=-5', 'bytes=5-', 'bytes=9-0', 'bytes=0-0,2-3', 'x=1'),
  'if-none-match': fc.constantFrom('*', '"a"', 'W/"a"', 'a'),
  'if-match': fc.constantFrom('*', '"a"', 'W/"a"', 'a'),
  'if-range': fc.constantFrom('"a"', 'Tue, 01 Jan 2030 00:00:00 GMT'),
  'idempotency-key': fc.integer({ min: 1, max: 30 }).map((number) => `key-${number}`),
  'content-disposition': fc.constantFrom('attachment; filename="a.jpg"', "x; filename*=utf-8''%e4"),
  'tus-resumable': fc.constantFrom('1.0.0', '1.0.0', '1.0.0', '0.2.2'),
  'upload-length': fc.constantFrom('0', '5', '64', '1000', '99999999999999'),
  'upload-offset': fc.constantFrom('0', '0', '0', '5', '64'),
  'upload-defer-length': fc.constant('1'),
  'upload-metadata': fc.constantFrom('filename YS5qcGc=', 'filetype aW1hZ2UvanBlZw==', 'a,b', ''),
  'upload-concat': fc.constantFrom('partial', 'final;/files/a /files/b'),
  'upload-checksum': fc.constantFrom('sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=', 'md5 x'),
  'upload-complete': fc.constantFrom('?0', '?1'),
  'upload-incomplete': fc.constantFrom('?0', '?1'),
  'upload-draft-interop-version': fc.constantFrom('3', '5', '6', '8', '99'),
  'x-http-method-override': fc.constantFrom('PATCH', 'DELETE', 'HEAD'),
}

/**
 * Names are those of the document; those of headers in any case.
 * @param sizes of files that may be sent.
 */
export function hintsWith(sizes: readonly number[]): Hint {
  const size = fc.constantFrom(...sizes)
  return (name) => (name === 'size' ? size : (likely[name] ?? likely[name.toLowerCase()]))
}

const kindsByPath: readonly (readonly [string, Kind])[] = [
  ['/files/', 'upload'],
  ['/v1/uploads/', 'upload'],
  ['/v1/images/', 'image'],
  ['/v1/upload-links/', 'link'],
  ['/v1/posts/', 'post'],
  ['/v1/comments/', 'comment'],
  ['/v1/admin/jobs/', 'job'],
]

const tus = { 'Tus-Resumable': '1.0.0' }
const draft = { 'Upload-Draft-Interop-Version': '6' }
const tusType = 'application/offset+octet-stream'
const draftType = 'application/partial-upload'

/** Fields, and the type of the body if there is one, as clients of the upload protocols send them. */
export interface Usual {
  readonly headers: Readonly<Record<string, string>>
  readonly type?: string
}

/** By method; drawn field by field, hardly ever a request would be in one dialect. */
const usualUploads: Readonly<Record<string, readonly Usual[]>> = {
  POST: [
    { headers: { ...tus, 'Upload-Length': '64' } },
    { headers: { ...tus, 'Upload-Length': '64' }, type: tusType },
    { headers: { ...tus, 'Upload-Defer-Length': '1' } },
    { headers: { ...tus, 'Upload-Length': '28', 'Upload-Concat': 'partial' }, type: tusType },
    { headers: { ...draft, 'Upload-Complete': '?0' }, type: draftType },
    { headers: { ...draft, 'Upload-Complete': '?1' }, type: 'image/jpeg' },
  ],
  PATCH: [
    { headers: { ...tus, 'Upload-Offset': '0' }, type: tusType },
    { headers: { ...tus, 'Upload-Offset': '28' }, type: tusType },
    { headers: { ...draft, 'Upload-Offset': '0', 'Upload-Complete': '?1' }, type: draftType },
  ],
  HEAD: [{ headers: tus }, { headers: draft }],
  GET: [{ headers: {} }, { headers: draft }],
  DELETE: [{ headers: tus }, { headers: draft }],
}

/** What a request of the upload protocols is like; nothing for others. */
export function usualOf(method: string, path: string): readonly Usual[] {
  return path.startsWith('/files') ? (usualUploads[method] ?? []) : []
}

/** What an `{id}` of a path is likely to be. */
export function idFor(path: string): Value {
  const kind = kindsByPath.find(([prefix]) => path.startsWith(prefix))?.[1]
  return kind ? slot(kind) : fc.constantFrom<unknown>(...users, 'nobody', 'a b', 'ü/ö')
}

/** An id of another thing, or of nothing at all. */
export const otherId: Value = fc.oneof(
  fc.constantFrom(...kindsByPath).chain(([, kind]) => slot(kind)),
  fc.uuid(),
)

/** Segments of a path as they go over the wire, which encode nothing that one should ask for. */
export const oddSegments = [
  ...['%00', '%', '%zz', '%ED%A0%80', '%ff', '..%2f..%2fetc%2fpasswd', '%2e%2e%2f', '...', ''],
  ...['a', '0', '-1', 'null', '*', ';a=b', '%F0%9F%8C%8A', 'a'.repeat(3_000), '%0d%0aX:y'],
]
