/** How operators see jobs. */
import { z } from '@hono/zod-openapi'
import type { JobRecord, JobTry, QueueDepth } from '../queue/contract.ts'
import { timeView } from './views.ts'

const time = z.iso.datetime()
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)

export const jobStateSchema = z.enum(['queued', 'active', 'done', 'dead'])

export const jobSchema = z
  .object({
    id: z.uuid(),
    kind: z.string().openapi({ example: 'image.convert' }),
    state: jobStateSchema,
    payload: z.unknown(),
    priority: z
      .int()
      .min(-(2 ** 31))
      .max(2 ** 31 - 1)
      .openapi({ description: 'Higher runs first.' }),
    attempts: count.openapi({ description: 'Those that count, the one under way among them.' }),
    maxAttempts: count,
    createdAt: time,
    runAt: time.openapi({ description: 'Before this it is not tried.' }),
    finishedAt: time.nullable(),
    lastError: z.string().nullable(),
  })
  .openapi('Job')

const trySchema = z
  .object({
    startedAt: time,
    endedAt: time.nullable(),
    holder: z.string().openapi({ description: 'The process that had the job.' }),
    outcome: z.enum(['done', 'failed', 'postponed', 'returned', 'lost']).nullable().openapi({
      description: 'Only `failed` counts as an attempt; null while it is under way.',
    }),
    error: z.string().nullable(),
  })
  .openapi('JobTry')

export const jobWithTriesSchema = jobSchema
  .extend({ tries: z.array(trySchema).openapi({ description: 'The oldest first.' }) })
  .openapi('JobWithTries')

/** How many jobs there are that are not done: of one kind, or of all. */
export const loadSchema = z
  .object({
    queued: count,
    active: count,
    dead: count,
    oldestAgeSeconds: count.nullable().openapi({
      description: 'How long the oldest job that waits or runs has been there; null without one.',
    }),
  })
  .openapi('QueueLoad')

export type QueueLoad = z.infer<typeof loadSchema>

export const depthSchema = loadSchema.extend({ kind: z.string() }).openapi('QueueDepth')

export function jobView(job: JobRecord): z.infer<typeof jobSchema> {
  const { id, kind, state, payload, priority, attempts, maxAttempts } = job
  return {
    ...{ id, kind, state, payload, priority, attempts, maxAttempts },
    createdAt: timeView(job.createdAt),
    runAt: timeView(job.runAt),
    finishedAt: job.finishedAt === undefined ? null : timeView(job.finishedAt),
    lastError: job.lastError ?? null,
  }
}

export function tryView(one: JobTry): z.infer<typeof trySchema> {
  return {
    startedAt: timeView(one.startedAt),
    endedAt: one.endedAt === undefined ? null : timeView(one.endedAt),
    holder: one.holder,
    outcome: one.outcome ?? null,
    error: one.error ?? null,
  }
}

export function depthView(depth: QueueDepth, now = Date.now()): z.infer<typeof depthSchema> {
  const { kind, queued, active, dead, oldestCreatedAt } = depth
  const oldestAgeSeconds = oldestCreatedAt === undefined ? null : ageOf(oldestCreatedAt, now)
  return { kind, queued, active, dead, oldestAgeSeconds }
}

/** Of all kinds together. */
export function totalLoad(depths: readonly QueueDepth[], now = Date.now()): QueueLoad {
  const none: QueueLoad = { queued: 0, active: 0, dead: 0, oldestAgeSeconds: null }
  return depths.reduce<QueueLoad>((sum, each) => {
    const { queued, active, dead, oldestAgeSeconds } = depthView(each, now)
    const ages = [sum.oldestAgeSeconds, oldestAgeSeconds].filter((age) => age !== null)
    return {
      queued: sum.queued + queued,
      active: sum.active + active,
      dead: sum.dead + dead,
      oldestAgeSeconds: ages.length > 0 ? Math.max(...ages) : null,
    }
  }, none)
}

/** Whole seconds. Another host's clock may be ahead of ours. */
function ageOf(createdAt: number, now: number): number {
  return Math.max(0, Math.floor((now - createdAt) / 1_000))
}
