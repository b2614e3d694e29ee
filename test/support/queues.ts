import type { Database } from '../../src/database/database.ts'
import type { JobRow } from '../../src/database/schema.ts'
import { createInstance } from '../../src/operations/instance.ts'
import type { EnqueueOptions, JobQueue } from '../../src/queue/contract.ts'
import type { JobKind, JobPayloads } from '../../src/queue/kinds.ts'
import { createLocalQueue, type LocalQueueOptions } from '../../src/queue/local/local-queue.ts'
import type { QueueReport } from '../../src/queue/local/reports.ts'
import { waitFor } from './wait.ts'

/** A clock that stands still until it is told to move. */
export class ManualClock {
  time = Date.now()
  readonly now = () => this.time

  advance(ms: number): void {
    this.time += ms
  }
}

/** Makes queues on one database and stops what it made. */
export class QueueBench {
  readonly database: Database
  readonly clock = new ManualClock()
  readonly reports: QueueReport[] = []
  readonly #queues: JobQueue[] = []
  readonly #instance = createInstance()

  constructor(database: Database) {
    this.database = database
  }

  /** A queue that looks for work often, on the bench's clock. */
  create(options: Partial<LocalQueueOptions> = {}): JobQueue {
    const queue = createLocalQueue({
      database: this.database,
      instance: this.#instance,
      pollMs: 20,
      leaseMs: 30_000,
      now: this.clock.now,
      report: (report) => this.reports.push(report),
      ...options,
    })
    this.#queues.push(queue)
    return queue
  }

  async stop(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.stop(0)))
  }

  /** Adds a job in a transaction of its own and returns once later ones are younger. */
  async add<K extends JobKind>(
    queue: JobQueue,
    kind: K,
    payload: JobPayloads[K],
    options?: EnqueueOptions,
  ): Promise<void> {
    await this.database.transaction((trx) => queue.enqueue(trx, kind, payload, options))
    const addedAt = Date.now()
    await waitFor(() => Date.now() > addedAt, { intervalMs: 1 })
  }

  addImage(queue: JobQueue, imageId: string, options?: EnqueueOptions): Promise<void> {
    return this.add(queue, 'image.convert', { imageId }, options)
  }

  jobs(): Promise<JobRow[]> {
    return this.database.queries.selectFrom('jobs').selectAll().orderBy('id').execute()
  }

  /** The one job there is. */
  job(): Promise<JobRow> {
    return this.database.queries.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
  }

  /** Waits until the one job there is has come to this state. */
  jobIn(state: JobRow['state']): Promise<JobRow> {
    return waitFor(
      async () => {
        const job = await this.job()
        return job.state === state && job
      },
      { intervalMs: 10, what: `a ${state} job` },
    )
  }

  /** Waits until nothing is queued or active. */
  async finished(): Promise<JobRow[]> {
    return waitFor(
      async () => {
        const jobs = await this.jobs()
        return jobs.every((job) => job.state === 'done' || job.state === 'dead') && jobs
      },
      { intervalMs: 10, what: 'all jobs to be finished' },
    )
  }

  reportsOf<T extends QueueReport['type']>(type: T): Extract<QueueReport, { type: T }>[] {
    return this.reports.filter(
      (report): report is Extract<QueueReport, { type: T }> => report.type === type,
    )
  }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
