import { type Dialect, PostgresDialect } from 'kysely'
import pg from 'pg'

const maxConnections = 10
const connectTimeoutMs = 5_000
/** A server that takes this long for one statement has hung. */
const queryTimeoutMs = 60_000

/**
 * PostgreSQL through a pool. `bigint` columns arrive as numbers: ours hold times and sizes, which
 * stay below 2^53.
 */
export function postgresDialect(url: string, onBroken: (error: Error) => void): Dialect {
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    application_name: 'landfall',
    types,
  })
  // A client reports to the pool only while it is idle; one that breaks inside a transaction, between
  // two statements, would end the process.
  pool.on('connect', (client) => client.on('error', onBroken))
  pool.on('error', () => {})
  return new PostgresDialect({ pool })
}
