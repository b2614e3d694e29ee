import { openAuthenticator } from '../../../src/auth/principal.ts'
import type { Database } from '../../../src/database/database.ts'
import { createHttpServer, type UploadHandler, uploadPath } from '../../../src/http/server.ts'
import { createInstance } from '../../../src/operations/instance.ts'
import type { JobQueue } from '../../../src/queue/contract.ts'
import { createQueue } from '../../../src/queue/create-queue.ts'
import { discardHandler, removeObjectsHandler } from '../../../src/uploads/discard.ts'
import { createReconciler } from '../../../src/uploads/reconcile.ts'
import { createUploadRequests, createUploadService } from '../../../src/uploads/service.ts'
import { testApp } from '../../support/app.ts'
import { databaseTargets } from '../../support/databases.ts'
import { leasesOf, silent } from '../../support/leases.ts'
import { type JobView, jobRows } from '../../support/queue-rows.ts'
import { backends, type StorageUnderTest } from '../../support/storage.ts'
import { idleQueue, uploadCore } from '../../support/uploads.ts'
import { waitFor } from '../../support/wait.ts'

/** All combinations of storage and database. */
export const places = backends.flatMap((backend) =>
  databaseTargets.map((target) => ({
    backend,
    target,
    name: `${backend.name} and ${target.name}`,
  })),
)
export type Place = (typeof places)[number]

const day = 86_400_000
/** Leases last as in the program, and are taken over as fast as can be. */
const times = { lease: 10_000, renew: 3_000, poll: 10, patience: 30_000 }
const clearing: readonly string[] = ['upload.discard', 'storage.remove']

/** The whole of Landfall but for conversions, in this process, with a port of its own. */
export interface Landfall extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  readonly under: StorageUnderTest
  /** The ids of all uploads that have a record, sorted. */
  ids(): Promise<string[]>
  /** Resolves when no request about an upload is being worked on. */
  idle(): Promise<void>
  /** Finishes what can be finished without a request. */
  reconcile(): Promise<void>
  /** What storage holds once all that is to be removed has been. */
  restInStorage(): Promise<string[]>
}

export async function startLandfall({ backend, target }: Place): Promise<Landfall> {
  const stack = new AsyncDisposableStack()
  try {
    const under = await backend.start()
    stack.defer(() => under.close())
    const test = await target.create()
    stack.defer(() => test.cleanup())
    const { database } = test
    const { storage } = under
    const queue = await createQueue({ database, instance: createInstance(), pollMs: 20 })
    await queue.prepare()
    for (const handler of [discardHandler(storage), removeObjectsHandler(storage)]) {
      queue.handle<'upload.discard' | 'storage.remove'>(handler)
    }
    const parts = compose(database, storage, queue)
    const { leases } = parts
    await leases.start()
    stack.defer(() => leases.stop())
    await queue.start()
    stack.defer(() => queue.stop(5_000))
    const app = testApp(database, storage)
    const server = createHttpServer({ logger: silent, uploads: parts.uploads, app })
    stack.defer(async () => {
      server.stopAccepting()
      await server.close()
    })
    return {
      url: await server.listen(0, '127.0.0.1'),
      database,
      under,
      ids: () => idsIn(database),
      idle: () => waitFor(parts.isIdle, { intervalMs: 1, what: 'requests to end' }).then(() => {}),
      reconcile: () => reconcile(database, parts),
      async restInStorage() {
        await untilCleared(database)
        return under.listKeys()
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

function compose(database: Database, storage: StorageUnderTest['storage'], jobs: JobQueue) {
  // Jobs are found by the regular look for them.
  const queue = Object.assign(idleQueue(), { enqueue: jobs.enqueue })
  const core = uploadCore({ database, storage, queue, leases: leasesOf(database, { times }) })
  const options = { maxSize: 2 ** 40, expiresIn: day }
  const requests = createUploadRequests({ ...core, database, storage }, options)
  const { handle, turnAway } = createUploadService(
    { database, requests, authenticator: openAuthenticator(), logger: silent },
    {
      path: uploadPath,
      maxSize: options.maxSize,
      publicUrl: undefined,
      trustProxy: false,
      corsOrigins: undefined,
    },
  )
  let active = 0
  const counted: UploadHandler['handle'] = async (...request) => {
    active += 1
    try {
      return await handle(...request)
    } finally {
      active -= 1
    }
  }
  return { ...core, uploads: { handle: counted, turnAway }, isIdle: () => active === 0 }
}

async function idsIn({ queries }: Database): Promise<string[]> {
  const rows = await queries.selectFrom('uploads').select('id').orderBy('id').execute()
  return rows.map(({ id }) => id)
}

async function reconcile(database: Database, parts: ReturnType<typeof compose>): Promise<void> {
  const reconciler = createReconciler({ ...parts, database, logger: silent })
  reconciler.start()
  const left = database.queries.selectFrom('uploads').select('id').where('state', '=', 'assembling')
  try {
    await waitFor(async () => (await left.execute()).length === 0, {
      intervalMs: 5,
      what: 'all uploads to be assembled',
    })
  } finally {
    await reconciler.stop()
  }
}

async function untilCleared({ queries, kind }: Database): Promise<void> {
  const clears = ({ kind, state }: JobView) => clearing.includes(kind) && state !== 'done'
  await waitFor(async () => !(await jobRows(queries, kind)).some(clears), {
    intervalMs: 5,
    what: 'storage to be cleared',
  })
}
