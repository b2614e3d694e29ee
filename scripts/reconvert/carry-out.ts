import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../src/database/database.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import type { Errand } from './errands.ts'

/** A server that works would have done something in this time. */
const silenceMs = 30_000

export interface Outcome {
  readonly done: number
  /** Tried, to no avail. */
  readonly inVain: number
  /** As they were, although nothing is queued for them any more. */
  readonly untouched: number
  readonly died: number
}

export interface CarryOutOptions {
  readonly database: Database
  readonly queue: Pick<JobQueue, 'administration'>
  readonly onProgress: (done: number) => void
  /** Called when nothing has happened for a while, and nothing is being worked on. */
  readonly onSilence: () => void
  /** Jobs of an errand that are in the queue at a time, and that are added in one transaction. */
  readonly mostQueued?: number
  readonly pageSize?: number
  readonly pollMs?: number
  readonly silentMs?: number
}

/**
 * Queues an errand for all images that it is for, few at a time, and waits until all are done with.
 * What is queued goes on when this is broken off, and what was not is found again the next time.
 */
export async function carryOut(errand: Errand, options: CarryOutOptions): Promise<Outcome> {
  const { database, queue, onProgress, mostQueued = 500, pageSize = 100, pollMs = 500 } = options
  const deadBefore = (await depthOf(queue, errand.kind)).dead
  const silence = silenceWatch(options)
  let waiting: readonly string[] = []
  let after: string | undefined
  let isAll = false
  let outcome: Outcome = { done: 0, inVain: 0, untouched: 0, died: 0 }
  for (;;) {
    while (!isAll && waiting.length + pageSize <= mostQueued) {
      const ids = await errand.list({ limit: pageSize, after })
      if (ids.length > 0) await database.transaction((trx) => queueAll(errand, trx, ids))
      waiting = [...waiting, ...ids]
      after = ids.at(-1)
      isAll = ids.length < pageSize
    }
    // Asked before the images are looked at: what was being worked on is not taken for left.
    const { queued, active, dead } = await depthOf(queue, errand.kind)
    const seen = await errand.look(waiting)
    const settled = waiting.length - seen.waiting.length
    const isLeft = queued + active === 0
    outcome = {
      done: outcome.done + settled - seen.inVain,
      inVain: outcome.inVain + seen.inVain,
      untouched: outcome.untouched + (isLeft ? seen.waiting.length : 0),
      died: Math.max(0, dead - deadBefore),
    }
    waiting = isLeft ? [] : seen.waiting
    onProgress(outcome.done + outcome.inVain)
    if (waiting.length === 0 && isAll) return outcome
    silence(settled > 0 || active > 0)
    if (waiting.length > 0) await delay(pollMs)
  }
}

async function depthOf({ administration }: CarryOutOptions['queue'], kind: string) {
  const depth = await administration.depth()
  return depth.find((each) => each.kind === kind) ?? { queued: 0, active: 0, dead: 0 }
}

async function queueAll(
  errand: Errand,
  trx: Parameters<Errand['queue']>[0],
  ids: readonly string[],
): Promise<void> {
  for (const id of ids) await errand.queue(trx, id)
}

function silenceWatch({ onSilence, silentMs = silenceMs }: CarryOutOptions) {
  let since = performance.now()
  return (isAtWork: boolean) => {
    if (!isAtWork && performance.now() - since < silentMs) return
    if (!isAtWork) onSilence()
    since = performance.now()
  }
}
