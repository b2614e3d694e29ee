/** What rows about concatenation are made of. */
import type { Expected, Step } from '../engine/row.ts'
import { begun, created, headUntil, patch, pattern, post, text } from './tus-steps.ts'

/** A partial upload with nothing in it. */
export const partial = (
  as: string,
  length: number,
  headers: Readonly<Record<string, string>> = {},
) => begun(as, length, { 'Upload-Concat': 'partial', ...headers })

/** A partial upload that is complete. */
export const partialOf = (
  as: string,
  bytes: string,
  headers: Readonly<Record<string, string>> = {},
): Step[] => [partial(as, bytes.length, headers), patch(as, 0, text(bytes))]

/** `hello` in a, ` world` in b. */
export const twoPartials = (): Step[] => [...partialOf('a', 'hello'), ...partialOf('b', ' world')]

/** A partial upload that holds `pattern(size, seed)`. */
export const large = (as: string, size: number, seed: number): Step[] => [
  partial(as, size),
  patch(as, 0, pattern(size, seed)),
]

/** A final upload of these URLs. */
export const final = (
  list: string,
  expect: Expected = created,
  headers: Readonly<Record<string, string>> = {},
  body?: Buffer,
) => post('final', { 'Upload-Concat': `final;${list}`, ...headers }, expect, body)

/** Concatenation may take a moment. */
export const complete = (of: string, length: number) =>
  headUntil(of, {
    headers: { 'Upload-Offset': String(length), 'Upload-Length': String(length) },
  })
