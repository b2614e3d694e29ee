import type { Database } from '../database/database.ts'
import type { Logger } from '../operations/logger.ts'
import type { Finish } from './finish.ts'
import { findAssembling, postponeAssembling } from './ledger.ts'

const intervalMs = 10_000
/** A request that just recorded the last byte finishes by itself; it is given this long. */
const graceMs = 5_000
const batchSize = 100

export interface Reconciler {
  start(): void
  /** Ends after the upload at hand. */
  stop(): Promise<void>
}

/**
 * Finishes uploads that a crash or a storage fault left `assembling`: at start, then every ten
 * seconds. When there are none it costs one read of an empty index.
 */
export function createReconciler(database: Database, finish: Finish, logger: Logger): Reconciler {
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> = Promise.resolve()
  let stopping = false

  async function reconcile(before: number): Promise<void> {
    const ids = await findAssembling(database.queries, before, batchSize)
    for (const id of ids) {
      if (stopping) return
      await finishOne(id)
    }
  }

  async function finishOne(id: string): Promise<void> {
    try {
      await finish(id)
      logger.info({ upload: id }, 'finished an upload that was left behind')
    } catch (error) {
      logger.error({ err: error, upload: id }, 'an upload cannot be finished yet')
      await postponeAssembling(database.queries, id)
    }
  }

  function run(before: number): void {
    round = reconcile(before)
      .catch((error) => logger.error({ err: error }, 'looking for unfinished uploads failed'))
      .then(() => {
        if (!stopping) timer = setTimeout(() => run(Date.now() - graceMs), intervalMs)
      })
  }

  return {
    start: () => run(Date.now()),
    async stop() {
      stopping = true
      clearTimeout(timer)
      await round
    },
  }
}
