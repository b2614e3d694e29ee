/**
 * How answers are described in the OpenAPI document. A route names the answers that are its own;
 * `openapi.ts` adds those that follow from who may use it and from its taking a body.
 */
import type { z } from '@hono/zod-openapi'
import { problemSchema, problemType } from './problem.ts'

/** A JSON answer. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } } as const
}

/** What was made, and where it is. */
export function created<T extends z.ZodType>(schema: T, description: string) {
  return { ...json(schema, description), headers: { Location: field('Where it is.') } } as const
}

/** An error. */
export function problem(description: string) {
  return { description, content: { [problemType]: { schema: problemSchema } } } as const
}

const retryAfter = { 'Retry-After': secondsField('Seconds after which to try again.') } as const

/** An error that passes. */
export function passing(description: string) {
  return { ...problem(description), headers: retryAfter } as const
}

/** An answer without content. */
export function empty(description: string) {
  return { description } as const
}

/** A header field of an answer. */
export function field(description: string) {
  return { description, schema: { type: 'string' } } as const
}

/** A header field of an answer that says how many seconds to wait. */
export function secondsField(description: string) {
  return { description, schema: { type: 'integer', minimum: 0, maximum: 86_400 } } as const
}

/** What is said of an image that is not converted yet. */
export function later<T extends z.ZodType>(schema: T, description: string) {
  const headers = { 'Retry-After': secondsField('Seconds after which to ask again.') }
  return { ...json(schema, description), headers } as const
}

/** Everything that `Deliver` answers. @param type of the bytes: `image/*` or so. */
export function delivered<T extends string>(type: T, description: string) {
  const content: Readonly<Record<T, { schema: Record<string, never> }>> = ofOne(type, {
    schema: {},
  })
  const headers = {
    ETag: field('Strong; names these bytes for ever.'),
    'Cache-Control': field('`private`, and whether it may be kept without asking again.'),
  }
  const contentRange = { 'Content-Range': field('Which bytes these are, and of how many.') }
  return {
    200: { description, content, headers: { ...headers, 'Accept-Ranges': field('`bytes`') } },
    206: { description: 'The range asked for', content, headers: { ...headers, ...contentRange } },
    304: { description: 'Not modified', headers },
    307: {
      description: 'The bytes are at `Location`, for some minutes',
      headers: { Location: field('A link to the storage.') },
    },
    412: problem('`If-Match` names other bytes'),
    416: { ...problem('No such range'), headers: contentRange },
  } as const
}

function ofOne<K extends string, V>(key: K, value: V): Record<K, V>
function ofOne(key: string, value: unknown): Record<string, unknown> {
  return { [key]: value }
}

/** The fields of a request that `Deliver` reads; only described, as each is checked where it is read. */
export const deliveryFields = [
  requestField('Range', 'One range of bytes (RFC 9110, 14.2).', 'bytes=0-1023'),
  requestField('If-Range', 'The range is sent only while this is the ETag.'),
  requestField('If-None-Match', '304 when one of these is the ETag.'),
  requestField('If-Match', '412 unless one of these is the ETag.'),
]

/** A header field of a request, as a parameter that no schema checks. */
export function requestField(name: string, description: string, example?: string) {
  return {
    name,
    in: 'header' as const,
    description,
    schema: { type: 'string' as const, ...(example !== undefined && { examples: [example] }) },
  }
}

const meanings = {
  400: 'A bad parameter, field or body; `detail` says which',
  404: 'There is no such thing, or it is not yours',
  409: 'It is in the way of something else',
  413: 'Too large',
  415: 'Not the type it has to be',
  422: 'Understood, and impossible; `code` and `detail` say why',
} as const

/**
 * Errors by their status, in general words: `...errors(400, 404)` among the `responses` of a route.
 * Where `problem` has more to say, use that. 401, 403, 500 and 503 need no mention.
 */
export function errors<S extends keyof typeof meanings>(
  ...statuses: readonly S[]
): Readonly<Record<S, ReturnType<typeof problem>>>
export function errors(...statuses: readonly (keyof typeof meanings)[]) {
  return Object.fromEntries(statuses.map((status) => [status, problem(meanings[status])]))
}
