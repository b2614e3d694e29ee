import type { KyselyPlugin } from 'kysely'
import type { Database } from '../../src/database/database.ts'

/** The same database, with a record of every statement it carried out outside of transactions. */
export function countStatements(database: Database): {
  readonly database: Database
  readonly statements: readonly string[]
} {
  const statements: string[] = []
  const compiled = new WeakMap<object, string>()
  const executor = database.queries.getExecutor()
  const recorder: KyselyPlugin = {
    // Called for subqueries too, whose results are never seen.
    transformQuery({ node, queryId }) {
      compiled.set(queryId, executor.compileQuery(node, queryId).sql)
      return node
    },
    async transformResult({ queryId, result }) {
      statements.push(compiled.get(queryId) ?? '')
      return result
    },
  }
  return {
    database: { ...database, queries: database.queries.withPlugin(recorder) },
    statements,
  }
}
