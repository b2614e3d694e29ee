import type { Database, Queries } from '../database/database.ts'
import type { Logger } from '../operations/logger.ts'
import { Loop } from '../operations/loop.ts'
import type { Finish } from './finish.ts'
import { leaseIsFree } from './lease-records.ts'
import type { Leases } from './leases.ts'

const everyMs = 5_000
/** One that storage keeps waiting does not hold up the others. */
const concurrency = 8
const batchSize = 100

export interface Reconciler {
  start(): void
  /** There may be something to finish. */
  ring(): void
  /** Ends after the uploads at hand. */
  stop(): Promise<void>
}

export interface ReconcilerDependencies {
  readonly database: Database
  readonly leases: Leases
  readonly finish: Finish
  readonly logger: Logger
}

/**
 * Finishes uploads that a crash or a storage fault left `assembling`: at start, then every few
 * seconds. When there are none it costs one read of an empty index.
 */
export function createReconciler(dependencies: ReconcilerDependencies): Reconciler {
  const { database, logger } = dependencies
  const running = new Map<string, Promise<void>>()
  let stopping = false

  function begin(id: string): void {
    const done = finishOne(dependencies, id).finally(() => running.delete(id))
    running.set(id, done)
  }

  /** Each upload that waited when the round began is tried once. */
  async function round(): Promise<void> {
    const began = Date.now()
    const tried = new Set(running.keys())
    while (!stopping) {
      const ids = await findAssembling(database.queries, began, batchSize)
      const next = ids.filter((id) => !tried.has(id)).slice(0, concurrency - running.size)
      for (const id of next) {
        tried.add(id)
        begin(id)
      }
      if (next.length === 0 || running.size === 0) return
      await Promise.race(running.values())
    }
  }

  const loop = new Loop({
    everyMs,
    work: round,
    onError: (error) => logger.error({ err: error }, 'looking for unfinished uploads failed'),
  })
  return {
    start: () => loop.start(),
    ring: () => loop.ring(),
    async stop() {
      stopping = true
      await Promise.all([loop.stop(), ...running.values()])
    },
  }
}

async function finishOne(
  { database, leases, finish, logger }: ReconcilerDependencies,
  id: string,
): Promise<void> {
  try {
    await leases.holdIfFree(id, async (upload, lease) => {
      if (upload.state !== 'assembling') return
      await finish.assemble(lease)
      logger.info({ upload: id }, 'finished an upload that was left behind')
    })
  } catch (error) {
    logger.error({ err: error, upload: id }, 'an upload cannot be finished yet')
    await postponeAssembling(database.queries, id).catch((failure) =>
      logger.error({ err: failure, upload: id }, 'the order of unfinished uploads was not changed'),
    )
  }
}

/** The ids of uploads that wait since before a time and that nobody is about to assemble. */
async function findAssembling(queries: Queries, before: number, limit: number): Promise<string[]> {
  const rows = await assemblingQuery(queries, before, limit).execute()
  return rows.map((row) => row.id)
}

/** Exported for the test that looks at its plan. */
export function assemblingQuery(queries: Queries, now: number, limit: number) {
  return queries
    .selectFrom('uploads')
    .select('id')
    .where('state', '=', 'assembling')
    .where('updated_at', '<=', now)
    .where(leaseIsFree(now))
    .orderBy('updated_at')
    .limit(limit)
}

/** Puts an upload that could not be assembled behind the others that wait. */
async function postponeAssembling(queries: Queries, id: string): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ updated_at: Date.now() })
    .where('id', '=', id)
    .where('state', '=', 'assembling')
    .execute()
}
