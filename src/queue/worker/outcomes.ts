/** What becomes of a job that did not come to its end: one function for each way back to `queued`. */

import type { Burial, LeasedJob, Requeue } from './store.ts'
import type { EndedTry } from './tries.ts'
import { addTry, errorText } from './tries.ts'

/** After a failure that counts; tried again after `delayMs`. */
export function afterFailure(
  job: LeasedJob,
  now: number,
  error: unknown,
  delayMs: number,
): Requeue {
  return { ...going(job, now, 'failed', error), delayMs }
}

/** For a reason outside of the job: the attempt does not count. */
export function afterPostponement(
  job: LeasedJob,
  now: number,
  error: unknown,
  delayMs: number,
): Requeue {
  return { ...going(job, now, 'postponed', error), attempts: job.attempts - 1, delayMs }
}

/** The program stopped: the attempt does not count. */
export function afterReturn(job: LeasedJob, now: number): Requeue {
  const given = going(job, now, 'returned', 'the program stopped')
  return { ...given, attempts: job.attempts - 1 }
}

/**
 * The holder is gone. The attempt is made up for by one more: a server that is restarted often says
 * nothing about the job.
 */
export function afterLoss(job: LeasedJob, now: number): Requeue {
  return {
    ...going(job, now, 'lost', 'the process that ran it is gone'),
    maxAttempts: job.maxAttempts + 1,
    losses: job.losses + 1,
  }
}

/** No retry can help, or none is left. */
export function burial(
  job: LeasedJob,
  now: number,
  outcome: 'failed' | 'lost',
  error: unknown,
): Burial {
  const { tries, lastError } = going(job, now, outcome, error)
  return { tries, lastError }
}

function going(
  job: LeasedJob,
  endedAt: number,
  outcome: EndedTry['outcome'],
  error: unknown,
): Requeue {
  const { attempts, maxAttempts, losses } = job
  const text = errorText(error)
  const tries = addTry(job, { endedAt, outcome, error: text })
  return { attempts, maxAttempts, losses, tries, lastError: text }
}
