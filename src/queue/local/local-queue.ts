import type { Database } from '../../database/database.ts'
import type { Instance } from '../../operations/instance.ts'
import { Loop } from '../../operations/loop.ts'
import type { JobQueue } from '../contract.ts'
import type { JobKind } from '../kinds.ts'
import type { QueueContext } from './context.ts'
import { type StoredJobHandler, storedJobHandler } from './handlers.ts'
import { beat } from './heartbeat.ts'
import { Lane } from './lane.ts'
import type { QueueReport } from './reports.ts'
import type { RunningAttempt } from './running-attempt.ts'
import { insertJob, refund } from './transitions.ts'
import { Upkeep } from './upkeep.ts'

export interface LocalQueueOptions {
  readonly database: Database
  readonly instance: Instance
  /** How many jobs of a kind run at once in this process; 2 when left out. */
  readonly concurrency?: Partial<Record<JobKind, number>>
  /** Told everything that happens; must not throw. */
  readonly report?: (report: QueueReport) => void
  /** After this long without a sign of life a job is given to somebody else. */
  readonly leaseMs?: number
  /** How often each kind looks for work that no `wake` told of. */
  readonly pollMs?: number
  readonly now?: () => number
  readonly random?: () => number
}

const defaultConcurrency = 2
/** How long handlers that were told to give up may take to do so when the program stops. */
const unwindMs = 1_000

/**
 * A queue over the `jobs` table, on SQLite and PostgreSQL alike, for any number of processes. The
 * clocks of their hosts may differ by less than a lease.
 */
export function createLocalQueue(options: LocalQueueOptions): JobQueue {
  const { database, instance, concurrency = {} } = options
  return new LocalQueue(
    {
      database,
      instance,
      leaseMs: options.leaseMs ?? 30_000,
      pollMs: options.pollMs ?? 1_000,
      report: options.report ?? (() => {}),
      now: options.now ?? Date.now,
      random: options.random ?? Math.random,
    },
    concurrency,
  )
}

class LocalQueue implements JobQueue {
  readonly #context: QueueContext
  readonly #concurrency: Partial<Record<JobKind, number>>
  readonly #handlers = new Map<JobKind, StoredJobHandler>()
  #lanes: Lane[] = []
  readonly #heartbeat: Loop
  readonly #upkeep: Loop
  #started = false
  #stopped: Promise<void> | undefined

  constructor(context: QueueContext, concurrency: Partial<Record<JobKind, number>>) {
    this.#context = context
    this.#concurrency = concurrency
    this.#heartbeat = this.#loop('heartbeat', context.leaseMs / 4, () =>
      beat(this.#running(), context),
    )
    const upkeep = new Upkeep(context, this.#handlers)
    this.#upkeep = this.#loop('recover', context.leaseMs / 2, async () => {
      if ((await upkeep.recover()) > 0) this.wake()
      await upkeep.removeDone()
    })
  }

  enqueue: JobQueue['enqueue'] = (trx, kind, payload, options = {}) =>
    insertJob(trx, kind, JSON.stringify(payload), this.#context.now(), options)

  handle: JobQueue['handle'] = (handler) => {
    if (this.#started) throw new Error('handlers are registered before the queue starts')
    this.#handlers.set(handler.kind, storedJobHandler(handler))
  }

  wake(...kinds: JobKind[]): void {
    for (const lane of this.#lanes) {
      if (kinds.length === 0 || kinds.includes(lane.handler.kind)) lane.wake()
    }
  }

  async start(): Promise<void> {
    if (this.#started || this.#stopped !== undefined) return
    this.#started = true
    this.#lanes = [...this.#handlers.values()].map((handler) => {
      const limit = this.#concurrency[handler.kind] ?? defaultConcurrency
      return new Lane(handler, limit, this.#context)
    })
    for (const part of [this.#upkeep, this.#heartbeat, ...this.#lanes]) part.start()
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    const drained = Promise.all([this.#upkeep.stop(), ...this.#lanes.map((lane) => lane.drain())])
    await settledWithin(graceMs, drained)
    if (this.#running().length > 0) {
      await Promise.all(this.#running().map((running) => this.#giveBack(running)))
      await settledWithin(unwindMs, drained)
    }
    await settledWithin(unwindMs, this.#heartbeat.stop())
  }

  async #giveBack(running: RunningAttempt): Promise<void> {
    const { database, report } = this.#context
    running.giveUp('the program stops')
    try {
      const refunded = await refund(database, running.job, 'the program stopped')
      if (refunded) report({ type: 'refunded', ...running.about })
    } catch (error) {
      report({ type: 'trouble', doing: 'acknowledge', error })
    }
  }

  #running(): RunningAttempt[] {
    return this.#lanes.flatMap((lane) => [...lane.running])
  }

  #loop(doing: 'heartbeat' | 'recover', everyMs: number, work: () => Promise<void>): Loop {
    const onError = (error: unknown) => this.#context.report({ type: 'trouble', doing, error })
    return new Loop({ everyMs, work, onError })
  }
}

/** Resolves when `work` has ended or the time is over. */
async function settledWithin(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work, over])
  clearTimeout(timer)
}
