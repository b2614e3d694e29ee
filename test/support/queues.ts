import { sql } from 'kysely'
import type { Database } from '../../src/database/database.ts'
import { createInstance } from '../../src/operations/instance.ts'
import type { EnqueueOptions, JobQueue } from '../../src/queue/contract.ts'
import type { JobKind, JobPayloads } from '../../src/queue/kinds.ts'
import { createLocalQueue, localStore } from '../../src/queue/local/local-queue.ts'
import { createPostgresQueue, postgresStore } from '../../src/queue/postgres/postgres-queue.ts'
import type { QueueReport } from '../../src/queue/worker/reports.ts'
import type { JobStore } from '../../src/queue/worker/store.ts'
import type { QueueOptions } from '../../src/queue/worker/worker-queue.ts'
import { type JobView, jobRows } from './queue-rows.ts'
import { waitFor } from './wait.ts'

/** A clock that stands still until it is told to move; with PostgreSQL that of pg-boss as well. */
export class ManualClock {
  time = Date.now()
  readonly now = () => this.time
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async advance(ms: number): Promise<void> {
    await this.set(this.time + ms)
  }

  async set(time: number): Promise<void> {
    this.time = time
    if (this.#database.kind === 'sqlite') return
    await sql`update public.test_clock set ms = ${time}`.execute(this.#database.queries)
  }

  /** Has pg-boss read the time from a table. */
  async install(): Promise<void> {
    const { kind, queries } = this.#database
    if (kind === 'sqlite') return
    await sql`create table if not exists public.test_clock (ms bigint)`.execute(queries)
    await sql`insert into public.test_clock values (${this.time})`.execute(queries)
    await sql`create or replace function landfall_queue.job_now() returns timestamptz
      language sql stable as $$ select to_timestamp(ms / 1000.0) from public.test_clock $$`.execute(
      queries,
    )
  }
}

/** Makes queues on one database and stops what it made. */
export class QueueBench {
  readonly database: Database
  readonly clock: ManualClock
  readonly reports: QueueReport[] = []
  /** Of the queue that was made last. */
  #leaseMs = 30_000
  readonly #queues: JobQueue[] = []
  readonly #stores: JobStore[] = []
  readonly #instance = createInstance()

  constructor(database: Database) {
    this.database = database
    this.clock = new ManualClock(database)
  }

  /** A bench whose clock is the only one. */
  static async open(database: Database): Promise<QueueBench> {
    const bench = new QueueBench(database)
    await bench.create()
    await bench.clock.install()
    return bench
  }

  /** A queue that is prepared and looks for work often, on the bench's clock. */
  async create(options: Partial<QueueOptions> = {}): Promise<JobQueue> {
    const all = this.#optionsWith(options)
    const queue = all.database.kind === 'sqlite' ? createLocalQueue(all) : createPostgresQueue(all)
    this.#queues.push(queue)
    await queue.prepare()
    return queue
  }

  /** What an engine does, without anything that decides about it. */
  async store(options: Partial<QueueOptions> = {}): Promise<JobStore> {
    const all = this.#optionsWith(options)
    const store = all.database.kind === 'sqlite' ? localStore(all) : postgresStore(all)
    this.#stores.push(store)
    await store.prepare()
    return store
  }

  #optionsWith(options: Partial<QueueOptions>) {
    this.#leaseMs = options.leaseMs ?? 30_000
    return {
      database: this.database,
      instance: this.#instance,
      pollMs: 20,
      leaseMs: 30_000,
      now: this.clock.now,
      report: (report: QueueReport) => void this.reports.push(report),
      ...options,
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.stop(0)))
    await Promise.all(this.#stores.map((store) => store.close()))
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

  jobs(queries = this.database.queries): Promise<JobView[]> {
    return jobRows(queries, this.database.kind, this.#leaseMs)
  }

  /** The one job there is. */
  async job(): Promise<JobView> {
    const [job] = await this.jobs()
    if (!job) throw new Error('there is no job')
    return job
  }

  /** Waits until the one job there is has come to this state. */
  jobIn(state: JobView['state']): Promise<JobView> {
    return waitFor(
      async () => {
        const job = await this.job()
        return job.state === state && job
      },
      { intervalMs: 10, what: `a ${state} job` },
    )
  }

  /** Waits until nothing is queued or active. */
  async finished(): Promise<JobView[]> {
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
