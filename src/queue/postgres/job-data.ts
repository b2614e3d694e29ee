import { z } from 'zod'
import type { LeasedJob, Requeue } from '../worker/store.ts'

/**
 * What a job of pg-boss carries. pg-boss counts claims (`retryCount`) and takes the number for the
 * token of a lease, so it never goes down; what is counted otherwise is kept here.
 */
const jobData = z.object({
  /** The payload as JSON: text within JSON, for `jsonb` refuses what JSON allows (NUL). */
  payload: z.string(),
  maxAttempts: z.number(),
  /** To be added to the claims to get the attempts that count. */
  correction: z.number(),
  losses: z.number(),
  lastError: z.string().nullable(),
  tries: z.string().nullable(),
})

export type JobData = z.infer<typeof jobData>

/** For what is not ours, such as a job that was added by hand: its payload cannot be read. */
export function readJobData(value: unknown): JobData {
  const parsed = jobData.safeParse(value)
  if (parsed.success) return parsed.data
  const payload = JSON.stringify(value) ?? ''
  return { payload, maxAttempts: 1, correction: 0, losses: 0, lastError: null, tries: null }
}

export function newJobData(payload: string, maxAttempts: number): JobData {
  return { payload, maxAttempts, correction: 0, losses: 0, lastError: null, tries: null }
}

/** What a job carries after an attempt. */
export function dataAfter(
  job: LeasedJob,
  how: Pick<Requeue, 'tries' | 'lastError'> & Partial<Requeue>,
): JobData {
  const { attempts = job.attempts, maxAttempts = job.maxAttempts, losses = job.losses } = how
  const correction = attempts - claimsOf(job)
  const { tries, lastError } = how
  return { payload: job.payload, maxAttempts, correction, losses, lastError, tries }
}

/** The token of the lease that a claim gives. */
export function tokenOf(id: string, retryCount: number): string {
  return `${id}:${retryCount}`
}

/** A lease as pg-boss names it. */
export function leaseOf({ id, token }: Pick<LeasedJob, 'id' | 'token'>) {
  return { id, retryCount: Number(token.slice(id.length + 1)) }
}

function claimsOf(job: LeasedJob): number {
  return leaseOf(job).retryCount + 1
}
