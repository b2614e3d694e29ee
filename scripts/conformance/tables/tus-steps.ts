/** What rows about tus are made of. */
import { createHash } from 'node:crypto'
import type { Expected, Request, Row, SendStep, Step, Table, Unobservable } from '../engine/row.ts'

export const version = { 'Tus-Resumable': '1.0.0' }
export const bytesType = { 'Content-Type': 'application/offset+octet-stream' }

/** A table of what tus 1.0.0 says. */
export function tusTable(
  name: string,
  needs: readonly string[],
  rows: readonly Row[],
  unobservable: readonly Unobservable[] = [],
): Table {
  return { name, specification: 'tus', needs: ['tus', ...needs], rows, unobservable }
}

type Headers = Readonly<Record<string, string>>
type Framing = Pick<Request, 'chunked' | 'trailers'>

export function send(
  method: string,
  to: string,
  headers: Headers,
  expect: Expected,
  rest: Partial<Pick<SendStep, 'as' | 'patiently' | 'remember'>> & Framing & { body?: Buffer } = {},
): SendStep {
  const { body, chunked, trailers, ...step } = rest
  const request = {
    method,
    to,
    headers,
    ...(body && { body }),
    ...(chunked && { chunked }),
    ...(trailers && { trailers }),
  }
  return { kind: 'send', request, expect, ...step }
}

export const options = (expect: Expected, headers: Headers = {}) =>
  send('OPTIONS', '{target}', headers, expect)

/** A POST at the target that makes the upload `as`. */
export const post = (as: string, headers: Headers, expect: Expected, body?: Buffer) =>
  send('POST', '{target}', { ...version, ...headers }, expect, { as, ...(body && { body }) })

export const patch = (
  of: string,
  offset: number | string,
  body: Buffer,
  expect: Expected = { status: 204 },
  headers: Headers = {},
  framing: Framing = {},
) => send('PATCH', `{${of}}`, patchHeaders(offset, headers), expect, { body, ...framing })

export const patchHeaders = (offset: number | string, headers: Headers = {}): Headers => ({
  ...version,
  ...bytesType,
  'Upload-Offset': String(offset),
  ...headers,
})

export const head = (of: string, expect: Expected) => send('HEAD', `{${of}}`, version, expect)

/** Asks until the answer fits: for what happens a moment later. */
export const headUntil = (of: string, expect: Expected) =>
  send('HEAD', `{${of}}`, version, expect, { patiently: true })

export const remove = (of: string, expect: Expected) => send('DELETE', `{${of}}`, version, expect)

/** Where an upload stands. */
export const stands = (of: string, offset: number | string) =>
  head(of, { headers: { 'Upload-Offset': String(offset) } })

export const created: Expected = { status: 201 }

/** An upload of this length, with nothing in it. */
export const begun = (as: string, length: number, headers: Headers = {}) =>
  post(as, { 'Upload-Length': String(length), ...headers }, created)

/** An upload that holds the first bytes of its length. */
export const filled = (as: string, length: number, bytes: string): Step[] => [
  begun(as, length),
  patch(as, 0, text(bytes)),
]

/** An upload that is complete. */
export const whole = (as: string, bytes: string): Step[] => filled(as, bytes.length, bytes)

export const holds = (of: string, equals: Buffer | string): Step => ({
  kind: 'content',
  of,
  equals: typeof equals === 'string' ? text(equals) : equals,
})

export const text = (value: string): Buffer => Buffer.from(value, 'latin1')

const patterns = new Map<string, Buffer>()

/** The same bytes every time, which repeat nowhere in a way that could hide a shift. */
export function pattern(size: number, seed = 1): Buffer {
  const key = `${size}/${seed}`
  const bytes = patterns.get(key) ?? makePattern(size, seed)
  patterns.set(key, bytes)
  return bytes
}

function makePattern(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = seed
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt32LE(state, at)
  }
  return bytes
}

export const hash = (algorithm: string, bytes: Buffer | string): string =>
  createHash(algorithm).update(bytes).digest('base64')

/** The start of a name of a table's row repeated for several values. */
export const each = <T>(values: readonly T[], row: (value: T, index: number) => Row): Row[] =>
  values.map(row)
