import type { Database } from '../../database/database.ts'
import type { Instance } from '../../operations/instance.ts'
import { Loop } from '../../operations/loop.ts'
import type { JobAdministration, JobQueue } from '../contract.ts'
import { type JobKind, retryPolicies } from '../kinds.ts'
import { createAdministration } from './administration.ts'
import type { QueueContext } from './context.ts'
import { type StoredJobHandler, storedJobHandler } from './handlers.ts'
import { beat } from './heartbeat.ts'
import { Lane } from './lane.ts'
import { afterReturn } from './outcomes.ts'
import type { QueueReport } from './reports.ts'
import type { RunningAttempt } from './running-attempt.ts'
import type { JobStore } from './store.ts'
import { Upkeep } from './upkeep.ts'

export interface QueueOptions {
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

/** What an engine is made from: the options, with what was left out filled in. */
export type StoreOptions = Required<
  Pick<QueueOptions, 'database' | 'instance' | 'leaseMs' | 'now' | 'report'>
>

const defaultConcurrency = 2
/** How long handlers that were told to give up may take to do so when the program stops. */
const unwindMs = 1_000

/** The queue over an engine: what any of them promises is kept here. */
export function createWorkerQueue(
  options: QueueOptions,
  openStore: (options: StoreOptions) => JobStore,
): JobQueue {
  const { database, instance, concurrency = {} } = options
  const { leaseMs = 30_000, pollMs = 1_000, now = Date.now, random = Math.random } = options
  const report = options.report ?? (() => {})
  const store = openStore({ database, instance, leaseMs, now, report })
  const context = { store, instance, leaseMs, pollMs, report, now, random }
  return new WorkerQueue(database, store, context, concurrency)
}

class WorkerQueue implements JobQueue {
  readonly administration: JobAdministration
  readonly #store: JobStore
  readonly #context: QueueContext
  readonly #concurrency: Partial<Record<JobKind, number>>
  readonly #handlers = new Map<JobKind, StoredJobHandler>()
  #lanes: Lane[] = []
  readonly #heartbeat: Loop
  readonly #upkeep: Loop
  #started = false
  #stopped: Promise<void> | undefined

  constructor(
    database: Database,
    store: JobStore,
    context: QueueContext,
    concurrency: Partial<Record<JobKind, number>>,
  ) {
    this.#store = store
    this.#context = context
    const { report } = context
    this.administration = createAdministration({
      database,
      store,
      handlers: this.#handlers,
      report,
    })
    this.#concurrency = concurrency
    this.#heartbeat = this.#loop('heartbeat', context.leaseMs / 4, () =>
      beat(this.#running(), context),
    )
    const upkeep = new Upkeep(context, this.#handlers)
    this.#upkeep = this.#loop('recover', context.leaseMs / 2, async () => {
      if ((await upkeep.recover()) > 0) this.wake()
      await upkeep.sweep()
    })
  }

  prepare(): Promise<void> {
    return this.#store.prepare()
  }

  enqueue: JobQueue['enqueue'] = (trx, kind, payload, options = {}) => {
    const { maxAttempts } = retryPolicies[kind]
    const job = { ...options, kind, payload: JSON.stringify(payload), maxAttempts }
    return this.#store.insert(trx, job)
  }

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
    await settledWithin(unwindMs, this.#store.close())
  }

  async #giveBack(running: RunningAttempt): Promise<void> {
    const { store, report, now } = this.#context
    running.giveUp('the program stops')
    try {
      const refunded = await store.requeue(running.job, afterReturn(running.job, now()))
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
