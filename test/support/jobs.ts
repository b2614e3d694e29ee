import { AppError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import type { JobAdministration, JobRecord, JobTry } from '../../src/queue/contract.ts'

export type KnownJob = JobRecord & { readonly tries: readonly JobTry[] }

/** A job of which a test says only what matters to it. */
export function knownJob(given: Partial<KnownJob> = {}): KnownJob {
  return {
    ...{ id: newId(), kind: 'image.convert', state: 'dead', payload: { imageId: newId() } },
    ...{ priority: 0, attempts: 8, maxAttempts: 8, createdAt: 0, runAt: 0 },
    ...{ finishedAt: undefined, lastError: undefined, tries: [] },
    ...given,
  }
}

/** The administration of jobs that are in memory and never run. */
export class MemoryJobs implements JobAdministration {
  jobs: KnownJob[]

  constructor(...jobs: KnownJob[]) {
    this.jobs = jobs
  }

  list: JobAdministration['list'] = async ({ state, kind, createdBefore }, { limit, before }) =>
    this.jobs
      .filter((job) => (state ?? job.state) === job.state && (kind ?? job.kind) === job.kind)
      .filter((job) => job.createdAt < (createdBefore ?? Infinity))
      .filter(({ id }) => before === undefined || id < before)
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, limit)

  find: JobAdministration['find'] = async (id) => this.jobs.find((job) => job.id === id)

  retry: JobAdministration['retry'] = async (id) => {
    const job = this.#require(id)
    if (job.state !== 'dead') throw new AppError('job-not-dead', 409, 'The job is not dead.')
    this.#replace({ ...job, state: 'queued', attempts: 0 })
  }

  retryAll: JobAdministration['retryAll'] = async (kind) => {
    const dead = this.jobs.filter((job) => job.kind === kind && job.state === 'dead')
    for (const job of dead) this.#replace({ ...job, state: 'queued', attempts: 0 })
    return dead.length
  }

  discard: JobAdministration['discard'] = async (id) => {
    const { state } = this.#require(id)
    if (state === 'active') throw new AppError('job-running', 409, 'The job is running.')
    this.jobs = this.jobs.filter((job) => job.id !== id)
  }

  depth: JobAdministration['depth'] = async () =>
    [...Map.groupBy(this.jobs, ({ kind }) => kind)].map(([kind, jobs]) => {
      const count = (state: JobRecord['state']) => jobs.filter((job) => job.state === state).length
      const open = jobs.filter(({ state }) => state === 'queued' || state === 'active')
      const oldestCreatedAt = open.map(({ createdAt }) => createdAt).toSorted((a, b) => a - b)[0]
      const counts = { queued: count('queued'), active: count('active'), dead: count('dead') }
      return { kind, ...counts, oldestCreatedAt }
    })

  #require(id: string): KnownJob {
    const job = this.jobs.find((one) => one.id === id)
    if (!job) throw new AppError('job-not-found', 404, 'There is no such job.')
    return job
  }

  #replace(job: KnownJob): void {
    this.jobs = this.jobs.map((one) => (one.id === job.id ? job : one))
  }
}
