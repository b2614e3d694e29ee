/** Requests that a client might send by mistake, or on purpose. */
import fc from 'fast-check'
import { newId } from '../../../src/ids.ts'
import type { Ask } from './client.ts'
import { fieldValue } from './texts.ts'

/** What is proper for a field; anything else comes besides. */
const proper: Readonly<Record<string, readonly string[]>> = {
  'Tus-Resumable': ['1.0.0', '1.0.0', '0.2.2'],
  'Upload-Length': ['0', '5', '20', '99999999'],
  'Upload-Defer-Length': ['1'],
  'Upload-Offset': ['0', '5', '10'],
  'Upload-Metadata': ['filename YS5qcGc=', 'a,b', ''],
  'Upload-Checksum': ['sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=', 'crc32 DUoRhQ==', 'md5 x'],
  'Upload-Concat': ['partial', 'final;', 'final;/files/a /files/b'],
  'Upload-Complete': ['?0', '?1', '?1;a=b'],
  'Upload-Incomplete': ['?0', '?1'],
  'Upload-Draft-Interop-Version': ['3', '5', '6', '9', '11'],
  'Content-Type': ['application/offset+octet-stream', 'application/partial-upload', 'image/png'],
  'Content-Disposition': ['attachment; filename="a"', "attachment; filename*=UTF-8''%e2%82%ac"],
  'Content-Digest': ['sha-256=:YQ==:', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'unixsum=:YQ==:'],
  'Repr-Digest': ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', 'sha=1'],
  'Want-Repr-Digest': ['sha-256=1', 'sha-512=10, sha-256=0'],
  'Want-Content-Digest': ['sha-256=1'],
  'X-HTTP-Method-Override': [
    'PATCH',
    'DELETE',
    'HEAD',
    'POST',
    'GET',
    'OPTIONS',
    'TRACE',
    'CONNECT',
  ],
  'X-Forwarded-Proto': ['https', 'https, http'],
  'X-Forwarded-Host': ['example.com', '[::1]'],
  'X-Request-Id': ['abc'],
  Host: ['example.com', '127.0.0.1:80', '[::1]'],
  Origin: ['https://example.com', 'null'],
  'Access-Control-Request-Method': ['PATCH'],
  'Access-Control-Request-Headers': ['Upload-Offset'],
  Authorization: ['Bearer x'],
  Trailer: ['Upload-Checksum', 'upload-checksum, Content-Digest'],
  Range: ['bytes=0-4'],
  'If-None-Match': ['"a"', '*'],
  'If-Match': ['"a"'],
  Accept: ['*/*'],
  'Accept-Encoding': ['gzip'],
  'Content-Encoding': ['gzip'],
  Cookie: ['a=b'],
  TE: ['trailers'],
}

const fields = Object.fromEntries(
  Object.entries(proper).map(([name, values]) => [
    name,
    fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...values) }, fieldValue),
  ]),
)

const tus = { 'Tus-Resumable': '1.0.0' }
const ietf = { 'Upload-Complete': '?0', 'Upload-Draft-Interop-Version': '6' }
const tusBytes = { ...tus, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '5' }
const ietfBytes = { ...ietf, 'Content-Type': 'application/partial-upload', 'Upload-Offset': '5' }

/** What clients of either protocol send, so that not all that is odd is turned away at once. */
const usual = [
  { method: 'POST', isNew: true, headers: { ...tus, 'Upload-Length': '10' } },
  { method: 'POST', isNew: true, headers: { ...tusBytes, 'Upload-Defer-Length': '1' } },
  { method: 'POST', isNew: true, headers: ietf },
  { method: 'POST', isNew: true, headers: { ...ietf, 'Upload-Draft-Interop-Version': '9' } },
  { method: 'POST', isNew: true, headers: { 'Upload-Incomplete': '?1' } },
  { method: 'PATCH', isNew: false, headers: tusBytes },
  { method: 'PATCH', isNew: false, headers: ietfBytes },
  { method: 'PATCH', isNew: false, headers: { ...ietfBytes, 'Upload-Complete': '?1' } },
  { method: 'HEAD', isNew: false, headers: tus },
  { method: 'HEAD', isNew: false, headers: { 'Upload-Draft-Interop-Version': '9' } },
  { method: 'DELETE', isNew: false, headers: tus },
  { method: 'OPTIONS', isNew: true, headers: {} },
] as const
const methods = ['POST', 'PATCH', 'HEAD', 'DELETE', 'OPTIONS', 'GET', 'PUT', 'TRACE', 'PROPFIND']

const body = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
)
const trailers = fc.option(
  fc.record({ 'Upload-Checksum': fieldValue, 'Content-Digest': fieldValue }, { requiredKeys: [] }),
  { nil: undefined, freq: 4 },
)

/** @param paths of uploads it may be about. */
export function oddRequest(paths: readonly string[]): fc.Arbitrary<Ask> {
  const oddPath = fc.oneof(
    fc.constantFrom('/files', '/files/', '/files?a=b', '/files//', '/files/a%00b'),
    fc.constantFrom(...paths.flatMap((each) => [each, `${each}?a#b`, `${each}/`])),
    fc.constant('').map(() => `/files/${newId()}`),
    fc.webPath().map((rest) => `/files/${rest}`),
  )
  const some = fc.record(fields, { requiredKeys: [] })
  return fc
    .record({
      usual: fc.constantFrom(...usual),
      target: fc.constantFrom(...paths),
      oddMethod: fc.oneof(
        { weight: 5, arbitrary: fc.constant(undefined) },
        fc.constantFrom(...methods),
      ),
      oddPath: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, oddPath),
      body,
      chunked: fc.boolean(),
      trailers,
      chosen: fc.tuple(some, fc.subarray(Object.keys(fields), { maxLength: 3 })),
    })
    .map(({ usual, target, oddMethod, oddPath, body, chunked, trailers, chosen: [all, names] }) => {
      const method = oddMethod ?? usual.method
      const path = oddPath ?? (usual.isNew ? '/files' : target)
      const fields: Partial<Record<string, string>> = { ...usual.headers, ...only(all, names) }
      const { Trailer: _, ...headers } = fields
      // Node sends none without a body in chunks.
      const mayHaveTrailers = body !== undefined && (chunked || trailers !== undefined)
      return {
        ...{ method, path, body, chunked },
        headers: only(fields, Object.keys(mayHaveTrailers ? fields : headers)),
        ...(trailers && mayHaveTrailers && { trailers }),
      }
    })
}

function only(all: Partial<Record<string, string>>, names: readonly string[]) {
  const kept: Record<string, string> = {}
  for (const name of names) if (all[name] !== undefined) kept[name] = all[name]
  return kept
}
