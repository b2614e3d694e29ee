/** A database of the run's own, and a look into it that does not go through the server. */
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import pg from 'pg'
import { postgresService } from '../../test/support/services/postgres.ts'

export interface TortureDatabase extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
  /** Rows that stand for something left behind, by table; only tables that have any. */
  leftovers(): Promise<ReadonlyMap<string, number>>
}

/** What has to be empty once everything is deleted, and which rows of it count. */
const tables: Readonly<Record<string, string>> = {
  uploads: 'true',
  upload_parts: 'true',
  images: 'true',
  renditions: 'true',
  jobs: `state in ('queued', 'active', 'dead')`,
}

export function openDatabase(kind: 'sqlite' | 'postgres', dataDir: string) {
  return kind === 'sqlite' ? openSqlite(dataDir) : openPostgres()
}

function openSqlite(dataDir: string): TortureDatabase {
  return {
    env: {},
    async leftovers() {
      const database = new SqliteDatabase(join(dataDir, 'landfall.db'), { readonly: true })
      try {
        return await count(async (sql) => Number(database.prepare(sql).pluck().get()))
      } finally {
        database.close()
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

async function openPostgres(): Promise<TortureDatabase> {
  const service = await postgresService.start()
  const url = service.provides.postgresAdminUrl ?? ''
  return {
    env: { DATABASE_URL: url },
    async leftovers() {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        return await count(async (sql) => Number((await client.query(sql)).rows[0]?.count))
      } finally {
        await client.end()
      }
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

async function count(query: (sql: string) => Promise<number>): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const [table, condition] of Object.entries(tables)) {
    const rows = await query(`select count(*) as count from ${table} where ${condition}`)
    if (rows > 0) counts.set(table, rows)
  }
  return counts
}
