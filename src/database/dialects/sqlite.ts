import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type SqliteDatabase as KyselySqliteDatabase,
  type QueryResult,
  SqliteAdapter,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely'
import { AppError, hasCode, messageOf } from '../../errors.ts'

/** Short, since it blocks the event loop. */
const busyTimeoutMs = 20
const busyRetryMs = 10
const patienceMs = 10_000
const maxStatements = 500
/** Where rows lie far apart, as those of the most discussed posts do, pages are read again less often. */
const cacheKib = 32 * 1_024
/** Pages of 4 KiB: what many comments change of the same few is written back once. */
const checkpointPages = 4_000

/**
 * SQLite in one file. Readers do not wait for the writer (WAL), and every transaction takes the
 * write lock when it begins: a transaction that reads first and writes later would otherwise fail
 * with SQLITE_BUSY when another process wrote in between, and no timeout helps against that.
 *
 * A transaction is on disk when it returns (`synchronous=FULL`). A statement outside of one survives
 * the end of the program at once, but the loss of power only with the next transaction: that is for
 * what would be done again, such as taking a lease or a job.
 */
export function sqliteDialect(file: string): Dialect {
  let handle: SqliteDatabase.Database | undefined
  return new ImmediateSqliteDialect({
    async database() {
      handle = await openDatabase(file)
      return withStatementCache(handle)
    },
    synchronous: (mode) => handle?.exec(`pragma synchronous = ${mode}`),
  })
}

interface ImmediateSqliteConfig extends SqliteDialectConfig {
  /** How commits are written from now on; not to be called within a transaction. */
  readonly synchronous: (mode: 'normal' | 'full') => void
}

async function openDatabase(file: string): Promise<SqliteDatabase.Database> {
  mkdirSync(dirname(file), { recursive: true })
  const database = new SqliteDatabase(file, { timeout: busyTimeoutMs })
  try {
    // Two processes may open a new file together, and no busy timeout applies to this switch.
    await whileBusy(() => database.pragma('journal_mode = WAL'))
    database.pragma(`cache_size = -${cacheKib}`)
    database.pragma(`wal_autocheckpoint = ${checkpointPages}`)
    database.pragma('synchronous = normal')
    database.pragma('foreign_keys = ON')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Keeps prepared statements, since most queries are the same few again and again. One that is being
 * iterated cannot run a second time meanwhile, so streams would need statements of their own.
 */
function withStatementCache(database: SqliteDatabase.Database): KyselySqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => database.close(),
    prepare(sql) {
      const known = statements.get(sql)
      if (known) return known
      const statement = database.prepare(sql)
      if (statements.size >= maxStatements) statements.clear()
      statements.set(sql, statement)
      return statement
    },
  }
}

class ImmediateSqliteDialect extends SqliteDialect {
  readonly #config: ImmediateSqliteConfig

  constructor(config: ImmediateSqliteConfig) {
    super(config)
    this.#config = config
  }

  override createDriver(): ImmediateSqliteDriver {
    return new ImmediateSqliteDriver(this.#config)
  }

  override createAdapter(): TransactionalSqliteAdapter {
    return new TransactionalSqliteAdapter()
  }
}

class ImmediateSqliteDriver extends SqliteDriver {
  readonly #synchronous: ImmediateSqliteConfig['synchronous']

  constructor(config: ImmediateSqliteConfig) {
    super(config)
    this.#synchronous = config.synchronous
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new PatientConnection(await super.acquireConnection())
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    this.#synchronous('full')
    try {
      await connection.executeQuery(CompiledQuery.raw('begin immediate'))
    } catch (error) {
      this.#synchronous('normal')
      throw error
    }
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection)
    this.#synchronous('normal')
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection)
    } catch (error) {
      // A full disk has rolled back already; what the transaction failed with says more.
      if (!messageOf(error).includes('no transaction is active')) throw error
    }
    this.#synchronous('normal')
  }
}

/**
 * Waits for another process's write lock without blocking this one: SQLite's own busy timeout would
 * hold up the event loop. Outside of a transaction that has begun, a busy statement did nothing.
 */
class PatientConnection implements DatabaseConnection {
  readonly #inner: DatabaseConnection

  constructor(inner: DatabaseConnection) {
    this.#inner = inner
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      return await whileBusy(() => this.#inner.executeQuery<R>(query))
    } catch (error) {
      if (!hasCode(error, 'SQLITE_FULL')) throw error
      throw new AppError('storage-full', 507, 'There is no room left.', { cause: error })
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#inner.streamQuery<R>(query, chunkSize)
  }
}

async function whileBusy<T>(work: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!hasCode(error, 'SQLITE_BUSY')) throw error
      if (performance.now() > deadline) {
        throw new AppError('database-busy', 503, 'The database is busy.', {
          cause: error,
          retryAfter: 5,
        })
      }
      await delay(busyRetryMs)
    }
  }
}

/** Migrations run in one transaction; the write lock keeps a second process out meanwhile. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
