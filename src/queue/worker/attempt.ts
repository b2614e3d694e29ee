import { setTimeout as delay } from 'node:timers/promises'
import { PermanentJobError, PostponedJobError } from '../contract.ts'
import { retryPolicies } from '../kinds.ts'
import { retryDelay } from '../retry-policy.ts'
import type { QueueContext } from './context.ts'
import type { StoredJobHandler } from './handlers.ts'
import { afterFailure, afterPostponement, burial } from './outcomes.ts'
import type { QueueReport } from './reports.ts'
import type { RunningAttempt } from './running-attempt.ts'

/** Short, so that work goes on soon after what was away is back. */
const postponement = { baseMs: 10_000, maxMs: 10_000 }
const acknowledgeTries = 5

/** How an attempt ends: what is written, and what is reported once it is. */
interface Ending {
  readonly write: () => Promise<boolean>
  readonly report: QueueReport
}

type Alongside = Parameters<QueueContext['store']['bury']>[2]

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
    write: () => context.store.complete(running.job),
    report: { type: 'done', ...running.about, durationMs: now - startedAt },
  }
}

function failure(
  running: RunningAttempt,
  handler: StoredJobHandler,
  context: QueueContext,
  error: unknown,
): Ending {
  const { job, about } = running
  const { store, random } = context
  const now = context.now()
  if (error instanceof PostponedJobError) {
    const delayMs = retryDelay(postponement, 1, random)
    return {
      write: () => store.requeue(job, afterPostponement(job, now, error, delayMs)),
      report: { type: 'postponed', ...about, error, delayMs },
    }
  }
  if (error instanceof PermanentJobError || job.attempts >= job.maxAttempts) {
    const end = burial(job, now, 'failed', error)
    const tell: Alongside = (trx) => handler.onDead(trx, job.payload, end.lastError)
    return {
      write: () => store.bury(job, end, tell),
      report: { type: 'dead', ...about, error },
    }
  }
  const delayMs = retryDelay(retryPolicies[job.kind], job.attempts, random)
  return {
    write: () => store.requeue(job, afterFailure(job, now, error, delayMs)),
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
