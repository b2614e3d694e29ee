/** What the database says, read past the program. */
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { z } from 'zod'
import type { FreshDatabase } from './fresh-databases.ts'

export interface StoredRecords {
  /** Each image's state. */
  readonly images: ReadonlyMap<string, string>
  /** Of every rendition that a record names, sorted; what several name, once. */
  readonly renditionKeys: readonly string[]
  /** How often each image was said to be ready. */
  readonly readyEvents: ReadonlyMap<string, number>
}

const imageRow = z.object({ id: z.string(), state: z.string() })
const renditionRow = z.object({ storage_key: z.string() })
const eventRow = z.object({ subject: z.string(), count: z.coerce.number() })

type Ask = (statement: string) => Promise<unknown[]>

export async function readRecords(target: FreshDatabase['target']): Promise<StoredRecords> {
  const { ask, close } = await (target.kind === 'sqlite'
    ? openSqlite(target.file)
    : openPostgres(target.url))
  try {
    const images = z.array(imageRow).parse(await ask('select id, state from images'))
    const renditions = z
      .array(renditionRow)
      .parse(await ask('select distinct storage_key from renditions'))
    const events = z
      .array(eventRow)
      .parse(
        await ask(
          "select subject, count(*) as count from events where type = 'image.ready' group by subject",
        ),
      )
    return {
      images: new Map(images.map(({ id, state }) => [id, state])),
      renditionKeys: renditions.map((row) => row.storage_key).sort(),
      readyEvents: new Map(events.map(({ subject, count }) => [subject, count])),
    }
  } finally {
    await close()
  }
}

interface Connection {
  readonly ask: Ask
  close(): Promise<void>
}

async function openSqlite(file: string): Promise<Connection> {
  const database = new Sqlite(file, { readonly: true, timeout: 10_000 })
  return {
    ask: async (statement) => database.prepare(statement).all(),
    async close() {
      database.close()
    },
  }
}

async function openPostgres(connectionString: string): Promise<Connection> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return {
    ask: async (statement) => (await client.query(statement)).rows,
    close: () => client.end(),
  }
}
