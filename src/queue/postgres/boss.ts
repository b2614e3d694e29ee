import { CompiledQuery } from 'kysely'
import { type Db, fromKysely, PgBoss } from 'pg-boss'
import { z } from 'zod'
import type { Queries } from '../../database/database.ts'
import type { QueueReport } from '../worker/reports.ts'

/** Of its own, so that another program's pg-boss in the same database does not tend our jobs. */
export const schemaName = 'landfall_queue'

/**
 * Nothing but us ends a job or forgets it. pg-boss would let attempts run out, expire what is active,
 * and delete what is queued or dead for long; these are its highest values, and `supervise` is off.
 */
const forever = {
  retryLimit: 1_000_000_000,
  retentionSeconds: 1_000_000_000,
  /** Never. */
  deleteAfterSeconds: 0,
  expireInSeconds: 86_400,
}
export const { retryLimit: boundlessRetries } = forever

/** The id of no job. */
const nobody = '00000000-0000-0000-0000-000000000000'

/** pg-boss on our connections: its errors are those of the database, and the pool is one. */
export function createBoss(queries: Queries, report: (report: QueueReport) => void): PgBoss {
  const boss = new PgBoss({
    db: bossConnections(queries),
    schema: schemaName,
    supervise: false,
    schedule: false,
  })
  const tell = (error: unknown) => report({ type: 'trouble', doing: 'maintain', error })
  boss.on('error', tell)
  boss.on('warning', ({ message }) => tell(new Error(message)))
  return boss
}

/**
 * A queue for each kind, in which a key belongs to one unfinished job at most. pg-boss reads what it
 * knows of a new queue when it is first asked about it; that is now, and not within a transaction,
 * which would wait for a second connection while it keeps the first.
 */
export async function createBossQueues(boss: PgBoss, kinds: readonly string[]): Promise<void> {
  const there = new Set((await boss.getQueues()).map(({ name }) => name))
  for (const kind of kinds) {
    if (there.has(kind)) continue
    await boss.createQueue(kind, { policy: 'exclusive', ...forever })
    await boss.findJobs(kind, { id: nobody })
  }
}

/**
 * pg-boss writes some transactions as one text. When one of its statements fails, the connection
 * would go back to the pool with the transaction open.
 */
function bossConnections(queries: Queries): Db {
  return {
    executeSql: (text, values) =>
      queries.connection().execute(async (connection) => {
        try {
          return await fromKysely(connection).executeSql(text, values)
        } catch (error) {
          if (/^\s*begin\b/i.test(text)) await rollBack(connection)
          throw error
        }
      }),
  }
}

async function rollBack(connection: Queries): Promise<void> {
  // One that is broken is not used again.
  await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => {})
}

const answer = z.object({ affected: z.number(), settled: z.array(z.string()).optional() })

/** What pg-boss answers to a call that settles jobs; its types do not say it. */
export function settledBy(response: unknown): { affected: number; settled: readonly string[] } {
  const { affected, settled = [] } = answer.parse(response)
  return { affected, settled }
}
