import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../errors.ts'
import { PermanentJobError, PostponedJobError } from '../contract.ts'
import { retryPolicies } from '../kinds.ts'
import { retryDelay } from '../retry-policy.ts'
import type { QueueContext } from './context.ts'
import type { StoredJobHandler } from './handlers.ts'
import type { QueueReport } from './reports.ts'
import type { RunningAttempt } from './running-attempt.ts'
import { bury, complete, refund, retry } from './transitions.ts'

/** Short, so that work goes on soon after what was away is back. */
const postponement = { baseMs: 10_000, maxMs: 10_000 }
const acknowledgeTries = 5

/** How an attempt ends: what is written, and what is reported once it is. */
interface Ending {
  readonly write: () => Promise<boolean>
  readonly report: QueueReport
}

/** Runs the handler and records how it went. Never rejects. */
export async function runAttempt(
  running: RunningAttempt,
  handler: StoredJobHandler,
  context: QueueContext,
): Promise<void> {
  const startedAt = context.now()
  let ending: Ending
  try {
    await handler.run(running.job.payload, running.attempt)
    ending = success(running, context, startedAt)
  } catch (error) {
    ending = failure(running, handler, context, error)
  }
  running.ending = true
  await acknowledge(running, context, ending)
}

function success(running: RunningAttempt, context: QueueContext, startedAt: number): Ending {
  const now = context.now()
  return {
    write: () => complete(context.database, running.job, now),
    report: { type: 'done', ...running.about, durationMs: now - startedAt },
  }
}

function failure(
  running: RunningAttempt,
  handler: StoredJobHandler,
  context: QueueContext,
  error: unknown,
): Ending {
  const { job, about, kind } = running
  const { database, random } = context
  const now = context.now()
  const reason = messageOf(error)
  if (error instanceof PostponedJobError) {
    const delayMs = retryDelay(postponement, 1, random)
    return {
      write: () => refund(database, job, reason, now + delayMs),
      report: { type: 'postponed', ...about, error, delayMs },
    }
  }
  if (error instanceof PermanentJobError || job.attempts >= job.maxAttempts) {
    return {
      write: () =>
        bury(database, job, now, reason, (trx) => handler.onDead(trx, job.payload, reason)),
      report: { type: 'dead', ...about, error },
    }
  }
  const delayMs = retryDelay(retryPolicies[kind], job.attempts, random)
  return {
    write: () => retry(database, job, now + delayMs, reason),
    report: { type: 'retry', ...about, error, delayMs },
  }
}

/**
 * Tries a few times, for a database that is restarting. What cannot be written in the end is left
 * to the lease: it runs out and the job is tried again.
 */
async function acknowledge(
  running: RunningAttempt,
  { pollMs, report }: QueueContext,
  ending: Ending,
): Promise<void> {
  for (let tries = 1; !running.givenUp; tries++) {
    try {
      const written = await ending.write()
      if (!running.givenUp)
        report(written ? ending.report : { type: 'lease-lost', ...running.about })
      return
    } catch (error) {
      report({ type: 'trouble', doing: 'acknowledge', error })
      if (tries === acknowledgeTries) return
    }
    await delay(pollMs, undefined, { signal: running.signal }).catch(() => {})
  }
}
