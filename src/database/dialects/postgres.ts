import { type Dialect, PostgresDialect } from 'kysely'
import pg from 'pg'

const maxConnections = 10
const connectTimeoutMs = 5_000

/**
 * PostgreSQL through a pool. `bigint` columns arrive as numbers: ours hold times and sizes, which
 * stay below 2^53.
 */
export function postgresDialect(url: string, onIdleError: (error: Error) => void): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'landfall',
    types: { getTypeParser: typeParser },
  })
  pool.on('error', onIdleError)
  return new PostgresDialect({ pool })
}

const typeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')
