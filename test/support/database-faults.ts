import type { KyselyPlugin } from 'kysely'
import type { Database } from '../../src/database/database.ts'
import { AppError } from '../../src/errors.ts'

/** A database of the test's own that goes away, or answers late, when it is told to. */
export interface FaultyDatabase {
  readonly database: Database
  /** What is asked from now on fails. */
  goAway(): void
  /** What is asked from now on is carried out, but its answers do not come until `answer`. */
  hang(): void
  /** Ends both, and lets the answers through that were held back. */
  answer(): void
  /** Answers that are held back now. */
  readonly heldBack: number
}

/**
 * @param inner a connection of its own: while answers are held back, others cannot use it.
 */
export function faultyDatabase(inner: Database): FaultyDatabase {
  let away = false
  let gate: PromiseWithResolvers<void> | undefined
  let heldBack = 0
  const check = () => {
    if (away) throw new AppError('database-unavailable', 503, 'away', { retryAfter: 1 })
  }
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      check()
      return node
    },
    async transformResult({ result }) {
      heldBack += 1
      await gate?.promise
      heldBack -= 1
      return result
    },
  }
  return {
    database: {
      ...inner,
      queries: inner.queries.withPlugin(plugin),
      async transaction(work) {
        check()
        return inner.transaction(work)
      },
    },
    goAway() {
      away = true
    },
    hang() {
      gate ??= Promise.withResolvers<void>()
    },
    answer() {
      away = false
      gate?.resolve()
      gate = undefined
    },
    get heldBack() {
      return heldBack
    },
  }
}
