import { z } from 'zod'
import type { RetryPolicy } from './retry-policy.ts'

/** Every kind of job and the shape of its payload, checked when a job is read back. */
export const jobPayloads = {
  /** Make an image's renditions. */
  'image.convert': z.object({ imageId: z.string() }),
  /** Make the renditions of one preset anew. */
  'image.reconvert': z.object({ imageId: z.string(), preset: z.string() }),
  /** Remove what storage holds for an upload that has no record any more. */
  'upload.discard': z.object({
    id: z.string(),
    multipartId: z.string().nullable(),
    tailEpoch: z.number().default(0),
    staged: z.object({ token: z.string(), count: z.number() }).optional(),
  }),
  /** Remove objects that no record names any more. */
  'storage.remove': z.object({ keys: z.array(z.string()) }),
  /** Remove the comments of posts that are gone. */
  'comments.remove': z.object({ postIds: z.array(z.string()) }),
}

export type JobKind = keyof typeof jobPayloads
export type JobPayloads = { [K in JobKind]: z.infer<(typeof jobPayloads)[K]> }

/** How each kind is retried; its `maxAttempts` is written into a job when it is added. */
export const retryPolicies: Record<JobKind, RetryPolicy> = {
  'image.convert': { baseMs: 1_000, maxMs: 60_000, maxAttempts: 8 },
  'image.reconvert': { baseMs: 1_000, maxMs: 60_000, maxAttempts: 8 },
  // Nobody waits for it, and giving up leaves bytes behind for good.
  'upload.discard': { baseMs: 1_000, maxMs: 600_000, maxAttempts: 50 },
  'storage.remove': { baseMs: 1_000, maxMs: 600_000, maxAttempts: 50 },
  'comments.remove': { baseMs: 1_000, maxMs: 600_000, maxAttempts: 50 },
}

const schemas: { readonly [K in JobKind]: z.ZodType<JobPayloads[K], unknown> } = jobPayloads

/** @throws SyntaxError or ZodError when the text is not a payload of this kind. */
export function parsePayload<K extends JobKind>(kind: K, text: string): JobPayloads[K] {
  return schemas[kind].parse(JSON.parse(text))
}
