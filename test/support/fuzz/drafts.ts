/** Requests before they are sent: still with places for ids that only the run will know. */
import fc from 'fast-check'
import type { ApiDocument, Operation, Parameter } from './document.ts'
import { hintsWith, idFor, oddSegments, otherId, type Usual, usualOf } from './hints.ts'
import { oddTexts, Values } from './values.ts'

export const callers = [
  ...['nobody', 'garbage', 'expired', 'other-secret', 'ada', 'ben', 'admin', 'storage'],
] as const
export type CallerName = (typeof callers)[number]

export interface Part {
  readonly name: string
  readonly filename: string | undefined
  readonly type: string
  readonly content: number
}

/** A body; `content` is the number of one of the files that the run has at hand. */
export type BodyDraft =
  | { readonly kind: 'json'; readonly type: string; readonly value: unknown }
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  | { readonly kind: 'huge'; readonly type: string; readonly bytes: number }
  | { readonly kind: 'file'; readonly type: string; readonly content: number }
  | { readonly kind: 'form'; readonly parts: readonly Part[]; readonly cut: boolean }

/** A segment of the path that is sent as it is. */
export interface Encoded {
  readonly encoded: string
}

export interface Draft {
  /** Undefined for a request that the document does not know. */
  readonly operation: Operation | undefined
  readonly method: string
  readonly path: string
  readonly caller: CallerName
  readonly inPath: Readonly<Record<string, unknown>>
  readonly inQuery: Readonly<Record<string, unknown>>
  readonly inHeader: Readonly<Record<string, unknown>>
  readonly body: BodyDraft | undefined
  /** Whether the body is sent without saying how long it is. */
  readonly chunked: boolean
  /** Given: instead of its path and query, a URL of an answer that leads to such a path, by number. */
  readonly byUrl: number | undefined
}

const anyCaller = fc.oneof(
  { weight: 16, arbitrary: fc.constantFrom<CallerName>('ada', 'ben') },
  { weight: 6, arbitrary: fc.constantFrom<CallerName>('admin') },
  { weight: 3, arbitrary: fc.constantFrom(...callers) },
)

/** More than there are; they are counted round and round. */
const content = fc.nat({ max: 59 })

/**
 * Mostly a request of one of the operations, mostly one that is right in most of what it says.
 * @param sizes of the files that the run has at hand.
 */
export function draftsFor(document: ApiDocument, sizes: readonly number[]): fc.Arbitrary<Draft> {
  const values = new Values(document, hintsWith(sizes))
  const known = document.operations.map((operation) => ({
    weight: operation.method === 'POST' ? 12 : operation.method === 'DELETE' ? 2 : 8,
    arbitrary: draftOf(document, values, operation),
  }))
  return fc.oneof(...known, { weight: known.length, arbitrary: stray(document) })
}

function draftOf(document: ApiDocument, values: Values, operation: Operation): fc.Arbitrary<Draft> {
  const { method, path, parameters } = operation
  const within = (place: Parameter['in']) => parameters.filter((each) => each.in === place)
  const drawn = fc.record<Draft>({
    operation: fc.constant(operation),
    method: fc.constant(method),
    path: fc.constant(path),
    caller: anyCaller,
    inPath: fc.record(
      Object.fromEntries(within('path').map((each) => [each.name, segmentOf(values, path, each)])),
    ),
    inQuery: parametersOf(values, within('query')),
    inHeader: parametersOf(values, within('header')),
    body: bodyOf(document, values, operation),
    chunked: oneIn(4),
    byUrl: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, fc.nat({ max: 11 })),
  })
  const usual = usualOf(method, path)
  return usual.length === 0
    ? drawn
    : fc.oneof(
        drawn,
        drawn.chain((each) => inDialect(each, usual)),
      )
}

function inDialect(draft: Draft, all: readonly Usual[]): fc.Arbitrary<Draft> {
  return fc.tuple(fc.constantFrom(...all), content).map(([{ headers, type }, content]) => ({
    ...draft,
    inHeader: headers,
    body: type === undefined ? undefined : { kind: 'file', type, content },
  }))
}

function segmentOf(
  values: Values,
  path: string,
  { name, schema }: Parameter,
): fc.Arbitrary<unknown> {
  const usual = name === 'id' ? idFor(path) : values.fitting(schema, name)
  return fc.oneof(
    { weight: 16, arbitrary: usual },
    { weight: 2, arbitrary: otherId },
    { weight: 2, arbitrary: fc.constantFrom(...oddSegments).map((encoded) => ({ encoded })) },
    { weight: 1, arbitrary: fc.constantFrom(...oddTexts) },
  )
}

function parametersOf(values: Values, all: readonly Parameter[]) {
  const fields = all.map(({ name, required, schema }) => {
    const present = fc.oneof(
      { weight: 8, arbitrary: values.fitting(schema, name) },
      { weight: 1, arbitrary: values.unfitting(schema) },
    )
    return [name, fc.option(present, { freq: required ? 20 : 2, nil: undefined })] as const
  })
  return fc.record(Object.fromEntries(fields))
}

const malformed = [
  ...[
    '',
    '{',
    '{"a":',
    '[1,]',
    'null',
    '"text"',
    '{"a":1}{"b":2}',
    '\0',
    '{"__proto__":{}}',
    '{}x',
  ],
  ...['['.repeat(20_000), '{"a":'.repeat(5_000), '{"caption":"\\ud800","imageId":1}', '﻿{}'],
]
const types = [
  ...[
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'text/html',
    'json',
    '',
  ],
  ...['application/x-www-form-urlencoded', 'multipart/form-data', 'image/png', 'a/b/c', '*/*'],
]

function bodyOf(
  document: ApiDocument,
  values: Values,
  { body }: Operation,
): fc.Arbitrary<BodyDraft | undefined> {
  if (!body) return fc.constant(undefined)
  const described = Object.entries(body.content).map(([type, { schema }]) => {
    if (/^multipart\//.test(type)) return form
    if (!/\bjson\b/.test(type)) return fileAs(type)
    const read = document.read(schema)
    return fc.oneof(
      { weight: 6, arbitrary: jsonAs(type, values.fitting(read)) },
      { weight: 3, arbitrary: jsonAs(type, values.unfitting(read)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...types).chain((type) => jsonAs(type, values.fitting(read))),
      },
    )
  })
  const anyType = fc.constantFrom(...Object.keys(body.content), ...types)
  return fc.oneof(
    { weight: 16, arbitrary: fc.oneof(...described) },
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: textAs(anyType) },
    { weight: 1, arbitrary: hugeAs(anyType) },
    { weight: 1, arbitrary: anyType.chain(fileAs) },
  )
}

const jsonAs = (type: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<BodyDraft> =>
  value.map((value) => ({ kind: 'json', type, value }))

const textAs = (type: fc.Arbitrary<string>): fc.Arbitrary<BodyDraft> =>
  fc.record({ kind: fc.constant('text'), type, text: fc.constantFrom(...malformed) })

const hugeAs = (type: fc.Arbitrary<string>): fc.Arbitrary<BodyDraft> =>
  fc.record({ kind: fc.constant('huge'), type, bytes: fc.constantFrom(65_536, 65_537, 300_000) })

/** A wildcard is what the document says of what may come, and nothing that a client would. */
const fileAs = (type: string): fc.Arbitrary<BodyDraft> =>
  fc.record({
    kind: fc.constant('file'),
    type: type.includes('*') ? fc.constantFrom('image/jpeg', 'image/png', type) : fc.constant(type),
    content,
  })

const filename = fc.constantFrom(
  'a.jpg',
  'ü.png',
  'a"b.gif',
  '../../a',
  undefined,
  'a\0b',
  'x'.repeat(400),
)

const form: fc.Arbitrary<BodyDraft> = fc.record({
  kind: fc.constant('form'),
  parts: fc.oneof(
    { weight: 4, arbitrary: partOf('file').map((part) => [part]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom('file', 'other', '', 'ü', '__proto__').chain(partOf), {
        maxLength: 4,
      }),
    },
  ),
  cut: oneIn(12),
})

function partOf(name: string): fc.Arbitrary<Part> {
  const type = fc.constantFrom('image/jpeg', 'image/png', 'text/plain', 'x', '')
  return fc.record({ name: fc.constant(name), filename, type, content })
}

function oneIn(number: number): fc.Arbitrary<boolean> {
  return fc.nat({ max: number - 1 }).map((drawn) => drawn === 0)
}

/** What no operation describes: another method, or a path beside. */
function stray(document: ApiDocument): fc.Arbitrary<Draft> {
  const beside = fc.oneof(
    fc.constantFrom('/', '/v1', '/v1/', '/v2/images', '/docs/../package.json', '/docs/%2e%2e/x'),
    fc.webPath().map((path) => `/v1${path}`),
    fc.constantFrom(...oddSegments).map((segment) => `/v1/images/${segment}`),
  )
  const paths = document.operations.map(({ path }) => path.replaceAll(/\{\w+\}/g, 'x'))
  return fc
    .record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
      path: fc.oneof(fc.constantFrom(...paths), beside),
      caller: anyCaller,
      body: fc.option(textAs(fc.constantFrom(...types)), { nil: undefined }),
    })
    .map((drawn) => ({
      ...drawn,
      ...{ operation: undefined, inPath: {}, inQuery: {}, inHeader: {} },
      ...{ chunked: false, byUrl: undefined },
    }))
}
