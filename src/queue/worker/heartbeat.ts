import type { QueueContext } from './context.ts'
import type { RunningAttempt } from './running-attempt.ts'

/**
 * Extends the leases of all running attempts and gives up those that turn out to be lost.
 * @throws what the database throws, after giving up those whose lease has run out meanwhile.
 */
export async function beat(
  running: readonly RunningAttempt[],
  context: QueueContext,
): Promise<void> {
  if (running.length === 0) return
  const leaseUntil = context.now() + context.leaseMs
  try {
    const jobs = running.map(({ job }) => job)
    const kept = await context.store.extend(jobs)
    for (const attempt of running) {
      if (kept.has(attempt.job.token)) attempt.leaseUntil = leaseUntil
      else lose(attempt, context)
    }
  } catch (error) {
    for (const attempt of running) {
      if (attempt.leaseUntil <= context.now()) lose(attempt, context)
    }
    throw error
  }
}

function lose(attempt: RunningAttempt, { report }: QueueContext): void {
  if (attempt.ending || attempt.givenUp) return
  attempt.giveUp('another process may have this job now')
  report({ type: 'lease-lost', ...attempt.about })
}
