import type { CompiledQuery, KyselyPlugin, QueryResult } from 'kysely'
import type { Database, Queries } from '../../src/database/database.ts'

/**
 * The same database, whose results of statements outside of transactions pass through `onResult`,
 * together with the statement: those that Kysely builds and those that it is handed as text.
 */
export function tapStatements(
  database: Database,
  onResult: (statement: string, rows: number) => void | Promise<void>,
): Database {
  const compiled = new WeakMap<object, string>()
  const executor = database.queries.getExecutor()
  const plugin: KyselyPlugin = {
    // Called for subqueries too, whose results are never seen.
    transformQuery({ node, queryId }) {
      compiled.set(queryId, executor.compileQuery(node, queryId).sql)
      return node
    },
    async transformResult({ queryId, result }) {
      const statement = compiled.get(queryId)
      if (statement !== undefined) await onResult(statement, result.rows.length)
      return result
    },
  }
  const queries = database.queries.withPlugin(plugin)
  const executeQuery = async <R>(query: CompiledQuery<R>): Promise<QueryResult<R>> => {
    const result = await database.queries.executeQuery(query)
    await onResult(query.sql, result.rows.length)
    return result
  }
  const tapped: Queries = new Proxy(queries, {
    get(target, name) {
      if (name === 'executeQuery') return executeQuery
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { ...database, queries: tapped }
}

/** The same database, with a record of every statement it carried out outside of transactions. */
export function countStatements(database: Database): {
  readonly database: Database
  readonly statements: readonly string[]
} {
  const statements: string[] = []
  const counted = tapStatements(database, (statement) => void statements.push(statement))
  return { database: counted, statements }
}

/** The same database, with a count of the rows it gave out outside of transactions. */
export function countRows(database: Database): {
  readonly database: Database
  readonly seen: () => number
} {
  let rows = 0
  const counted = tapStatements(database, (_statement, found) => {
    rows += found
  })
  return { database: counted, seen: () => rows }
}

/** Whether a statement takes a job from a queue, of whichever engine. */
export function isClaim(statement: string): boolean {
  return (
    /^update "jobs" set "state" = .*"attempts" \+/.test(statement) ||
    /^with claimed as/.test(statement)
  )
}
