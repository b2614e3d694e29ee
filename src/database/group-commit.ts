import { setImmediate as turn } from 'node:timers/promises'
import { type Kysely, sql, type Transaction } from 'kysely'

/** Transactions that share a commit at most: none is kept waiting for long. */
const largestGroup = 100

type Work<DB, T> = (trx: Transaction<DB>) => Promise<T>

interface Entry<DB> {
  /** Runs the work, and returns what tells its caller that it is committed. */
  readonly run: (trx: Transaction<DB>) => Promise<() => void>
  readonly reject: (error: unknown) => void
}

/**
 * Transactions that come at the same time share one commit, and so one sync of the disk, as
 * described by DeWitt et al., "Implementation Techniques for Main Memory Database Systems" (1984).
 * For a database with a single writer, whose transactions wait for each other anyway.
 *
 * Each is still a transaction of its own: it is undone alone when its work throws, it sees those
 * before it, and it resolves when it is durable. When the commit fails, none of the group happened.
 */
export class GroupCommit<DB> {
  readonly #queries: Kysely<DB>
  #waiting: Entry<DB>[] = []
  #isRunning = false

  constructor(queries: Kysely<DB>) {
    this.#queries = queries
  }

  transaction<T>(work: Work<DB, T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const run = async (trx: Transaction<DB>) => {
      const result = await work(trx)
      return () => resolve(result)
    }
    this.#waiting.push({ run, reject })
    if (!this.#isRunning) void this.#run()
    return promise
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // Whatever else has arrived by now takes part.
      await turn()
      const group = this.#waiting.splice(0, largestGroup)
      await this.#commit(group)
    }
    this.#isRunning = false
  }

  async #commit(group: readonly Entry<DB>[]): Promise<void> {
    try {
      const done = await this.#queries.transaction().execute((trx) => runAll(trx, group))
      for (const tell of done) tell()
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}

/** @returns what to call once they are committed; those that failed have been told. */
async function runAll<DB>(
  trx: Transaction<DB>,
  group: readonly Entry<DB>[],
): Promise<(() => void)[]> {
  const [only] = group
  if (only && group.length === 1) return [await only.run(trx)]
  const done: (() => void)[] = []
  for (const { run, reject } of group) {
    await sql`savepoint one`.execute(trx)
    try {
      done.push(await run(trx))
    } catch (error) {
      await sql`rollback to one`.execute(trx)
      reject(error)
    }
    await sql`release one`.execute(trx)
  }
  return done
}
