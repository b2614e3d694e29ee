/** What rows about the IETF's resumable uploads are made of. */
import type {
  BeginStep,
  Expected,
  Interop,
  Level,
  Request,
  Row,
  SendStep,
  Source,
  Step,
  Table,
  Unobservable,
} from '../engine/row.ts'
import { text } from './tus-steps.ts'

/** The texts: -03 is interop version 5, -05 is 6, and the editors' copy of -12 is the newest. */
const specifications: Readonly<Record<Interop, string>> = {
  '5': 'draft-03',
  '6': 'draft-05',
  newest: 'draft-12',
}
const interops: readonly Interop[] = ['5', '6', 'newest']

type Sources = Partial<Readonly<Record<Interop, Source>>>

/** A row for the versions that `from` names; the texts differ in level and section. */
export type IetfRow = Omit<Row, 'from'> & { readonly from: Sources }
export type IetfUnobservable = Omit<Unobservable, 'from'> & { readonly from: Sources }

/** The same for all versions. */
export const all = (level: Level, five: string, six: string, newest: string): Sources => ({
  '5': { level, section: five },
  '6': { level, section: six },
  newest: { level, section: newest },
})

/** A table for each version that rows name. */
export function ietfTables(
  name: string,
  rows: readonly IetfRow[],
  unobservable: readonly IetfUnobservable[] = [],
): Table[] {
  const tables = interops.map((interop) => ({
    name,
    specification: specifications[interop],
    interop,
    needs: [`ietf:${interop}`],
    rows: rows.flatMap((row) => fromOf(row, interop)),
    unobservable: unobservable.flatMap((row) => fromOf(row, interop)),
  }))
  return tables.filter((table) => table.rows.length > 0)
}

function fromOf<T extends { readonly from: Sources }>(row: T, interop: Interop) {
  const from = row.from[interop]
  return from === undefined ? [] : [{ ...row, from }]
}

type Headers = Readonly<Record<string, string>>
export type Completeness = '?0' | '?1'

export const interop = { 'Upload-Draft-Interop-Version': '{interop}' }
export const partialUpload = { 'Content-Type': 'application/partial-upload' }
export const problemType = (name: string) =>
  `https://iana.org/assignments/http-problem-types#${name}`

interface Extras {
  readonly body?: Buffer
  readonly headers?: Headers
  readonly chunked?: boolean
  readonly patiently?: boolean
  readonly remember?: SendStep['remember']
}

export function ask(
  method: string,
  to: string,
  expect: Expected,
  { body, headers = {}, chunked, patiently, remember }: Extras = {},
): SendStep {
  const request: Request = {
    method,
    to,
    headers: { ...interop, ...headers },
    ...(body && { body }),
    ...(chunked && { chunked }),
  }
  return {
    kind: 'send',
    request,
    expect,
    ...(patiently && { patiently }),
    ...(remember && { remember }),
  }
}

export const creation = (complete: Completeness, headers: Headers = {}): Headers => ({
  'Upload-Complete': complete,
  ...headers,
})

/** A creation of the upload `as`. */
export const create = (
  as: string,
  complete: Completeness,
  expect: Expected,
  { headers = {}, ...extras }: Extras = {},
): SendStep => ({
  ...ask('POST', '{target}', expect, { ...extras, headers: creation(complete, headers) }),
  as,
})

export const appending = (
  offset: number | string,
  complete: Completeness,
  headers: Headers = {},
): Headers => ({
  ...partialUpload,
  'Upload-Offset': String(offset),
  'Upload-Complete': complete,
  ...headers,
})

export const append = (
  of: string,
  offset: number | string,
  complete: Completeness,
  bytes: string | Buffer,
  expect: Expected = { status: '2xx' },
  { headers = {}, ...extras }: Omit<Extras, 'body'> = {},
): SendStep =>
  ask('PATCH', `{${of}}`, expect, {
    ...extras,
    headers: appending(offset, complete, headers),
    body: typeof bytes === 'string' ? text(bytes) : bytes,
  })

export const look = (of: string, expect: Expected, extras: Extras = {}) =>
  ask('HEAD', `{${of}}`, expect, extras)

/** Asks until the answer fits. */
export const lookUntil = (of: string, expect: Expected, extras: Extras = {}) =>
  look(of, expect, { ...extras, patiently: true })

export const cancel = (of: string, expect: Expected, extras: Extras = {}) =>
  ask('DELETE', `{${of}}`, expect, extras)

/** Where an upload stands. */
export const standsAt = (of: string, offset: number | string, complete: Completeness = '?0') =>
  look(of, { headers: { 'Upload-Offset': String(offset), 'Upload-Complete': complete } })

/** An upload that has these bytes and waits for more. */
export const open = (as: string, bytes = '', headers: Headers = {}) =>
  create(as, '?0', { status: '2xx' }, { body: text(bytes), headers })

/** An upload that is complete. */
export const done = (as: string, bytes: string): Step[] => [
  open(as, bytes),
  append(as, bytes.length, '?1', ''),
]

/** A creation whose body stops in the middle. */
export const beginCreation = (
  as: string,
  complete: Completeness,
  body: Buffer,
  sent: number,
  headers: Headers = {},
): BeginStep => ({
  kind: 'begin',
  call: 'creation',
  as,
  request: {
    method: 'POST',
    to: '{target}',
    headers: { ...interop, ...creation(complete, headers) },
    body,
  },
  sent,
  until: 'location',
})

/** An append whose body stops in the middle; the server has begun to take it. */
export const beginAppend = (
  of: string,
  offset: number,
  complete: Completeness,
  body: Buffer,
  sent: number,
  until: BeginStep['until'] = 'continue',
): BeginStep => ({
  kind: 'begin',
  call: 'append',
  request: {
    method: 'PATCH',
    to: `{${of}}`,
    headers: { ...interop, ...appending(offset, complete, { Expect: '100-continue' }) },
    body,
  },
  sent,
  until,
})

export const cut = (call: string): Step => ({ kind: 'cut', call })
