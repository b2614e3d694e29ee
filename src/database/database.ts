import { Kysely, sql, type Transaction } from 'kysely'
import { AppError, messageOf } from '../errors.ts'
import { postgresDialect } from './dialects/postgres.ts'
import { sqliteDialect } from './dialects/sqlite.ts'
import { GroupCommit } from './group-commit.ts'
import type { Schema } from './schema.ts'

/** What queries are written against. A `Transaction` is one too. */
export type Queries = Kysely<Schema>
export type { Transaction } from 'kysely'

export type DatabaseTarget =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string }

export interface Database {
  readonly kind: DatabaseTarget['kind']
  readonly queries: Queries
  /**
   * Runs `work` in one transaction, which is durable when it returns; on SQLite those that come at
   * the same time share a commit, and a statement outside of one is durable with the next. What `work` throws rolls everything back and is thrown on. On
   * SQLite there is one connection: inside `work`, use the transaction alone.
   */
  transaction<T>(work: (trx: Transaction<Schema>) => Promise<T>): Promise<T>
  /** Asks the database something. @throws AppError `database-unavailable`, naming the setting. */
  check(): Promise<void>
  /** Where the data is, without credentials. */
  describe(): string
  close(): Promise<void>
}

/**
 * Opens the database lazily: the first query connects. Connections that break while no statement
 * runs on them are reported to `onBroken`, and replaced when they are needed.
 */
export function openDatabase(
  target: DatabaseTarget,
  onBroken: (error: Error) => void = () => {},
): Database {
  const queries = new Kysely<Schema>({
    dialect:
      target.kind === 'sqlite' ? sqliteDialect(target.file) : postgresDialect(target.url, onBroken),
  })
  const group = new GroupCommit(queries)
  return {
    kind: target.kind,
    queries,
    transaction: (work) =>
      target.kind === 'sqlite' ? group.transaction(work) : queries.transaction().execute(work),
    async check() {
      try {
        await sql`select 1`.execute(queries)
      } catch (error) {
        throw databaseUnavailable(target, error)
      }
    },
    describe: () => (target.kind === 'sqlite' ? `sqlite ${target.file}` : describeUrl(target.url)),
    close: () => queries.destroy(),
  }
}

function describeUrl(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `postgres ${hostname}${port && `:${port}`}${pathname}`
}

function databaseUnavailable(target: DatabaseTarget, cause: unknown): AppError {
  const where =
    target.kind === 'sqlite'
      ? `DATA_DIR: cannot open ${target.file}`
      : `DATABASE_URL: cannot use ${describeUrl(target.url)}`
  return new AppError('database-unavailable', 503, `${where} (${messageOf(cause)})`, { cause })
}
