import { Kysely, type Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import { postgresDialect } from './dialects/postgres.ts'
import { sqliteDialect } from './dialects/sqlite.ts'
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
   * Runs `work` in one transaction. What it throws rolls everything back and is thrown on. On
   * SQLite there is one connection: inside `work`, use the transaction alone.
   */
  transaction<T>(work: (trx: Transaction<Schema>) => Promise<T>): Promise<T>
  /** Where the data is, without credentials. */
  describe(): string
  close(): Promise<void>
}

/** Opens the database lazily: the first query connects. Errors of idle connections are reported, not thrown. */
export function openDatabase(
  target: DatabaseTarget,
  onIdleError: (error: Error) => void = () => {},
): Database {
  const queries = new Kysely<Schema>({
    dialect:
      target.kind === 'sqlite'
        ? sqliteDialect(target.file)
        : postgresDialect(target.url, onIdleError),
  })
  return {
    kind: target.kind,
    queries,
    transaction: (work) => queries.transaction().execute(work),
    describe: () => (target.kind === 'sqlite' ? `sqlite ${target.file}` : describeUrl(target.url)),
    close: () => queries.destroy(),
  }
}

function describeUrl(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `postgres ${hostname}${port && `:${port}`}${pathname}`
}

/** The database cannot be reached or used at start. */
export function databaseUnavailable(target: DatabaseTarget, cause: unknown): AppError {
  const where =
    target.kind === 'sqlite'
      ? `DATA_DIR: cannot open ${target.file}`
      : `DATABASE_URL: cannot use ${describeUrl(target.url)}`
  const why = cause instanceof Error ? cause.message || cause.name : String(cause)
  return new AppError('database-unavailable', 503, `${where} (${why})`, { cause })
}
