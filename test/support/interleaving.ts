import { type KyselyPlugin, sql } from 'kysely'
import type { Database } from '../../src/database/database.ts'
import { waitFor } from './wait.ts'

/** A database of the test's own that stands still after so many of its statements, until told. */
function pausing(inner: Database, after: number) {
  const reached = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  let statements = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      statements += 1
      if (statements === after) {
        reached.resolve()
        await goOn.promise
      }
      return result
    },
  }
  const database: Database = {
    ...inner,
    queries: inner.queries.withPlugin(plugin),
    transaction: (work) => inner.transaction((trx) => work(trx.withPlugin(plugin))),
  }
  return { database, reached: reached.promise, goOn: goOn.resolve }
}

export interface Interleaved {
  readonly outcomes: readonly PromiseSettledResult<unknown>[]
  /** False when the first one had come to its end before it was to stand still. */
  readonly paused: boolean
}

/**
 * Runs two things at the same time on PostgreSQL, the second of them after so many statements of the
 * first, until it has come to its end or waits for a lock that the first one has.
 * @param isWaiting whether the second one waits for the first one in another way.
 */
export async function interleave(
  database: Database,
  first: (database: Database) => Promise<unknown>,
  second: () => Promise<unknown>,
  after: number,
  isWaiting: () => Promise<boolean> = async () => false,
): Promise<Interleaved> {
  const pause = pausing(database, after)
  const running = first(pause.database)
  const paused = await Promise.race([
    pause.reached.then(() => true),
    running.then(
      () => false,
      () => false,
    ),
  ])
  let isOver = false
  const following = second()
  const over = () => {
    isOver = true
  }
  following.then(over, over)
  const cannotGoOn = async () => isOver || (await isLocked(database)) || (await isWaiting())
  if (paused) await waitFor(cannotGoOn, { intervalMs: 3 })
  pause.goOn()
  return { outcomes: await Promise.allSettled([running, following]), paused }
}

async function isLocked({ queries }: Database): Promise<boolean> {
  const waiting = sql`select 1 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return (await waiting.execute(queries)).rows.length > 0
}
