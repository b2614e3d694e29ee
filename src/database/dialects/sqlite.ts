import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
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
import { hasCode } from '../../errors.ts'

const busyTimeoutMs = 10_000
const busyRetryMs = 10

/**
 * SQLite in one file. A commit is on disk when it returns (`synchronous=FULL`), readers do not wait
 * for the writer (WAL), and every transaction takes the write lock when it begins: a transaction
 * that reads first and writes later would otherwise fail with SQLITE_BUSY when another process
 * wrote in between, and no timeout helps against that.
 */
export function sqliteDialect(file: string): Dialect {
  return new ImmediateSqliteDialect({ database: () => openDatabase(file) })
}

async function openDatabase(file: string): Promise<SqliteDatabase.Database> {
  mkdirSync(dirname(file), { recursive: true })
  const database = new SqliteDatabase(file, { timeout: busyTimeoutMs })
  try {
    await switchToWal(database)
    database.pragma('synchronous = FULL')
    database.pragma('foreign_keys = ON')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** SQLite does not apply its busy timeout to this switch, and two processes may open a new file together. */
async function switchToWal(database: SqliteDatabase.Database): Promise<void> {
  const deadline = performance.now() + busyTimeoutMs
  for (;;) {
    try {
      database.pragma('journal_mode = WAL')
      return
    } catch (error) {
      if (!hasCode(error, 'SQLITE_BUSY') || performance.now() > deadline) throw error
      await delay(busyRetryMs)
    }
  }
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
