import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
  type QueryResult,
} from 'kysely'
import pg from 'pg'
import { AppError, hasCode, messageOf } from '../../errors.ts'

const maxConnections = 10
const connectTimeoutMs = 5_000
/** A server that takes this long for one statement has hung. */
const queryTimeoutMs = 60_000

/**
 * PostgreSQL through a pool. `bigint` columns arrive as numbers: ours hold times and sizes, which
 * stay below 2^53. A server that is away, starting, stopping or out of connections is
 * `database-unavailable` (503), one without room `storage-full` (507).
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
  return new ReportingPostgresDialect({ pool })
}

class ReportingPostgresDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig

  constructor(config: PostgresDialectConfig) {
    super(config)
    this.#config = config
  }

  override createDriver(): Driver {
    return new ReportingPostgresDriver(this.#config)
  }
}

class ReportingPostgresDriver extends PostgresDriver {
  readonly #reporting = new WeakSet<DatabaseConnection>()

  /** The driver takes back only what it gave out, so its connections are changed and not wrapped. */
  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await reporting(() => super.acquireConnection())
    if (this.#reporting.has(connection)) return connection
    this.#reporting.add(connection)
    const execute = connection.executeQuery.bind(connection)
    return Object.assign(connection, {
      executeQuery: <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
        reporting(() => execute<R>(query)),
    })
  }
}

async function reporting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw databaseError(error)
  }
}

/** Connections: class 08 and 57P; 53: resources; 40: transactions that may be tried again. */
const passing = /^(08|57P|53|40)/
const systemErrors = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]
const brokenConnection =
  /^(Connection terminated|Client has encountered a conn|timeout exceeded when trying|Query read timeout)/

function databaseError(error: unknown): unknown {
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  if (code === '53100') {
    return new AppError('storage-full', 507, 'There is no room left.', { cause: error })
  }
  const away =
    passing.test(code) || hasCode(error, ...systemErrors) || brokenConnection.test(messageOf(error))
  if (!away) return error
  return new AppError('database-unavailable', 503, 'The database does not answer.', {
    cause: error,
    retryAfter: 5,
  })
}
