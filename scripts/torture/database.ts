/** A database of the run's own, and a look into it that does not go through the server. */
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import pg from 'pg'
import { postgresService } from '../../test/support/services/postgres.ts'

export interface TortureDatabase extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
  /** Rows that stand for something left behind, by table; only tables that have any. */
  leftovers(): Promise<ReadonlyMap<string, number>>
  /** The uploads that have a record; the API does not tell of those that others are made of. */
  uploads(): Promise<RecordedUpload[]>
}

export interface RecordedUpload {
  readonly id: string
  readonly filename: string | null
  readonly offset: number
}

const uploadsQuery = 'select id, filename, "offset" from uploads'

/** What has to be empty once everything is deleted, and which rows of it count. */
const tables: Readonly<Record<string, string>> = {
  uploads: 'true',
  upload_parts: 'true',
  images: 'true',
  renditions: 'true',
  jobs: `state in ('queued', 'active', 'dead')`,
}
/** The jobs of PostgreSQL are pg-boss's. */
const postgresTables = { ...tables, 'landfall_queue.job': `state <> 'completed'` }

export function openDatabase(kind: 'sqlite' | 'postgres', dataDir: string) {
  return kind === 'sqlite' ? openSqlite(dataDir) : openPostgres()
}

function openSqlite(dataDir: string): TortureDatabase {
  const rows = async (sql: string): Promise<unknown[]> => {
    const database = new SqliteDatabase(join(dataDir, 'landfall.db'), { readonly: true })
    try {
      return database.prepare(sql).all()
    } finally {
      database.close()
    }
  }
  return { env: {}, ...looksInto(rows, tables), [Symbol.asyncDispose]: async () => {} }
}

async function openPostgres(): Promise<TortureDatabase> {
  const service = await postgresService.start()
  const url = service.provides.postgresAdminUrl ?? ''
  const rows = async (sql: string): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(sql)).rows
    } finally {
      await client.end()
    }
  }
  return {
    env: { DATABASE_URL: url },
    ...looksInto(rows, postgresTables),
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

type Looks = Pick<TortureDatabase, 'leftovers' | 'uploads'>

function looksInto(
  rowsOf: (sql: string) => Promise<unknown[]>,
  counted: Readonly<Record<string, string>>,
): Looks {
  return {
    async leftovers() {
      const counts = new Map<string, number>()
      for (const [table, condition] of Object.entries(counted)) {
        const sql = `select count(*) as count from ${table} where ${condition}`
        const [row] = (await rowsOf(sql)) as { count: number | string }[]
        const rows = Number(row?.count)
        if (rows > 0) counts.set(table, rows)
      }
      return counts
    },
    async uploads() {
      const rows = (await rowsOf(uploadsQuery)) as RecordedUpload[]
      return rows.map((row) => ({ ...row, offset: Number(row.offset) }))
    },
  }
}
