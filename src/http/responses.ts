import type { z } from '@hono/zod-openapi'
import { problemSchema, problemType } from './problem.ts'

/** The OpenAPI description of a JSON answer. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } } as const
}

/** The OpenAPI description of an error. */
export function problem(description: string) {
  return { description, content: { [problemType]: { schema: problemSchema } } } as const
}

/** The OpenAPI description of an answer that is bytes, or nothing. */
export function bytes(description: string) {
  return { description }
}
