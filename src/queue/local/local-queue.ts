import { randomUUID } from 'node:crypto'
import type { JobQueue } from '../contract.ts'
import type { JobStore } from '../worker/store.ts'
import { createWorkerQueue, type QueueOptions, type StoreOptions } from '../worker/worker-queue.ts'
import * as lost from './lost-jobs.ts'
import * as shelf from './shelf.ts'
import * as transitions from './transitions.ts'

const removeBatch = 500

/** A queue over the `jobs` table of SQLite. */
export function createLocalQueue(options: QueueOptions): JobQueue {
  return createWorkerQueue(options, localStore)
}

export function localStore({ database, instance, leaseMs, now }: StoreOptions): JobStore {
  const { queries } = database
  const { holder } = instance
  return {
    async prepare() {},
    async close() {},
    insert: (trx, job) => transitions.insertJob(trx, job, now()),
    claim(kind) {
      const at = now()
      const by = { kind, holder, token: randomUUID(), now: at, leaseUntil: at + leaseMs }
      return transitions.claim(queries, by)
    },
    extend: (jobs) => transitions.extendLeases(queries, jobs, now() + leaseMs),
    complete: (job) => transitions.complete(queries, job, now()),
    requeue: (job, how) => transitions.requeue(queries, job, how, now()),
    bury: (job, how, alongside) => transitions.bury(database, job, how, now(), alongside),
    findExpired: (kinds) => lost.findExpired(queries, kinds, now()),
    findHolders: () => lost.findHolders(queries),
    findHeldBy: (kinds, holders) => lost.findHeldBy(queries, kinds, holders),
    async sweep(ageMs) {
      const before = now() - ageMs
      while ((await transitions.removeDone(queries, before, removeBatch)) === removeBatch);
    },
    kinds: () => shelf.kinds(queries),
    newest: (kind, state, page) => shelf.newest(queries, kind, state, page),
    find: (id) => shelf.find(queries, id),
    lock: (trx, id) => shelf.find(trx, id),
    dead: (kind, after, limit) => shelf.dead(queries, kind, after, limit),
    revive: (trx, job, maxAttempts) => shelf.revive(trx, job, maxAttempts, now()),
    remove: (trx, job) => shelf.remove(trx, job),
    depth: () => shelf.depth(queries, now()),
  }
}
