import type { Database, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { AppError } from '../../errors.ts'
import { isId } from '../../ids.ts'
import type { JobAdministration, JobFilter, JobRecord } from '../contract.ts'
import { type JobKind, retryPolicies } from '../kinds.ts'
import type { StoredJobHandler } from './handlers.ts'
import type { QueueReport } from './reports.ts'
import type { AdministrationStore, Page, StoredJob } from './store.ts'
import { triesOf } from './tries.ts'

const states: readonly JobRecord['state'][] = ['queued', 'active', 'done', 'dead']
/** Jobs that are queued again in one transaction, which nothing else waits for for long. */
const reviveBatch = 50
/** For a kind of another release, of which no policy is known. */
const usualAttempts = 8

export interface AdministrationDependencies {
  readonly database: Database
  readonly store: AdministrationStore
  readonly handlers: ReadonlyMap<JobKind, StoredJobHandler>
  readonly report: (report: QueueReport) => void
}

/** `JobAdministration` over what an engine stores. */
export function createAdministration(dependencies: AdministrationDependencies): JobAdministration {
  const { database, store } = dependencies
  return {
    list: (filter, page) => list(store, filter, page),
    async find(id) {
      const job = isId(id) ? await store.find(id) : undefined
      return job && { ...job.record, tries: triesOf(job) }
    },
    retry: (id) => database.transaction((trx) => retry(dependencies, trx, id)),
    retryAll: (kind) => retryAll(dependencies, kind),
    discard: (id) => database.transaction((trx) => discard(dependencies, trx, id)),
    depth: () => store.depth(),
  }
}

/** Merges the newest of every kind and state, each of which is read by an index alone. */
async function list(
  store: AdministrationStore,
  { kind, state, createdBefore }: JobFilter,
  { before, limit }: { limit: number; before?: string | undefined },
): Promise<JobRecord[]> {
  if (before !== undefined && !isId(before)) return []
  const page: Page = { before, createdBefore, limit }
  const kinds = kind === undefined ? await store.kinds() : [kind]
  const found: JobRecord[] = []
  for (const one of kinds) {
    for (const wanted of state === undefined ? states : [state]) {
      found.push(...(await store.newest(one, wanted, page)))
    }
  }
  return found.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit)
}

async function retry(
  { store, handlers }: AdministrationDependencies,
  trx: Transaction<Schema>,
  id: string,
): Promise<void> {
  const job = await lock(store, trx, id)
  if (job.record.state !== 'dead') {
    throw new AppError('job-not-dead', 409, 'Only a dead job can be tried again.')
  }
  const handler = handlerOf(handlers, job)
  if (handler && !(await handler.onRevived(trx, job.payloadText))) {
    return store.remove(trx, job)
  }
  const { maxAttempts } = handler ? retryPolicies[handler.kind] : { maxAttempts: usualAttempts }
  if (!(await store.revive(trx, job, maxAttempts))) {
    throw new AppError('job-duplicate', 409, 'Another job for the same thing is waiting already.')
  }
}

async function retryAll(dependencies: AdministrationDependencies, kind: string): Promise<number> {
  const { store } = dependencies
  let revived = 0
  let last: string | undefined
  for (;;) {
    const ids = await store.dead(kind, last, reviveBatch)
    revived += await retryBatch(dependencies, ids)
    last = ids.at(-1)
    if (ids.length < reviveBatch) return revived
  }
}

/** Together; when that fails, one by one, so that no job keeps others from being tried again. */
async function retryBatch(
  dependencies: AdministrationDependencies,
  ids: readonly string[],
): Promise<number> {
  const { database, report } = dependencies
  const retryTogether = (some: readonly string[]) =>
    database.transaction(async (trx) => {
      for (const id of some) await retry(dependencies, trx, id)
    })
  try {
    if (ids.length > 0) await retryTogether(ids)
    return ids.length
  } catch {
    let revived = 0
    for (const id of ids) {
      try {
        await retryTogether([id])
        revived += 1
      } catch (error) {
        report({ type: 'trouble', doing: 'revive', error })
      }
    }
    return revived
  }
}

async function discard(
  { store, handlers }: AdministrationDependencies,
  trx: Transaction<Schema>,
  id: string,
): Promise<void> {
  const job = await lock(store, trx, id)
  if (job.record.state === 'active') {
    throw new AppError('job-running', 409, 'The job is running; it can be discarded afterwards.')
  }
  if (job.record.state === 'queued') {
    await handlerOf(handlers, job)?.onDead(trx, job.payloadText, 'discarded by an operator')
  }
  await store.remove(trx, job)
}

async function lock(
  store: AdministrationStore,
  trx: Transaction<Schema>,
  id: string,
): Promise<StoredJob> {
  const job = isId(id) ? await store.lock(trx, id) : undefined
  if (!job) throw new AppError('job-not-found', 404, 'There is no such job.')
  return job
}

function handlerOf(
  handlers: ReadonlyMap<JobKind, StoredJobHandler>,
  job: StoredJob,
): StoredJobHandler | undefined {
  return [...handlers.values()].find(({ kind }) => kind === job.record.kind)
}
