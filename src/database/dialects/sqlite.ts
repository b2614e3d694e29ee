import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from 'kysely'

const busyTimeoutMs = 10_000

/**
 * SQLite in one file. A commit is on disk when it returns (`synchronous=FULL`), readers do not wait
 * for the writer (WAL), and every transaction takes the write lock when it begins: a transaction
 * that reads first and writes later would otherwise fail with SQLITE_BUSY when another process
 * wrote in between, and no timeout helps against that.
 */
export function sqliteDialect(file: string): Dialect {
  return new ImmediateSqliteDialect({ database: async () => openDatabase(file) })
}

function openDatabase(file: string): SqliteDatabase.Database {
  mkdirSync(dirname(file), { recursive: true })
  const database = new SqliteDatabase(file, { timeout: busyTimeoutMs })
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  return database
}

class ImmediateSqliteDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig

  constructor(config: SqliteDialectConfig) {
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
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }
}

/** Migrations run in one transaction; the write lock keeps a second process out meanwhile. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
