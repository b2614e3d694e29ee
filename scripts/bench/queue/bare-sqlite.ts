import SqliteDatabase from 'better-sqlite3'
import { newId } from '../../../src/ids.ts'
import type { EmptyQueue } from './empty-queue.ts'

const schema = `
  create table jobs (
    id text primary key, kind text not null, payload text not null, priority integer not null,
    state text not null, attempts integer not null, run_at integer not null, holder text,
    token text, lease_until integer, finished_at integer
  ) without rowid;
  create index queued on jobs (kind, priority desc, id) where state = 'queued';
  create index active on jobs (lease_until) where state = 'active';
`
const insertSql = `
  insert into jobs (id, kind, payload, priority, state, attempts, run_at)
  values (?, 'empty', '{}', 0, 'queued', 0, ?)`
const claimSql = `
  update jobs set state = 'active', attempts = attempts + 1, holder = ?, token = ?, lease_until = ?
  where id = (
    select id from jobs where state = 'queued' and kind = 'empty' and run_at <= ?
    order by priority desc, id limit 1
  ) returning id, payload, attempts`
const completeSql = `
  update jobs set state = 'done', finished_at = ?, holder = null, token = null, lease_until = null
  where id = ? and token = ?`

/**
 * The floor: the two statements that a job takes on a table, in a loop. What is added is synced, what
 * is claimed and done is not, as in the server.
 */
export async function openBareSqlite(file: string): Promise<EmptyQueue> {
  const database = new SqliteDatabase(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = normal')
  database.exec(schema)
  const insert = database.prepare(insertSql)
  const claim = database.prepare<unknown[], { readonly id: string }>(claimSql)
  const complete = database.prepare(completeSql)
  const insertAll = database.transaction((count: number) => {
    for (let added = 0; added < count; added += 1) insert.run(newId(), Date.now())
  })
  return {
    async enqueue(count) {
      database.pragma('synchronous = full')
      insertAll.immediate(count)
      database.pragma('synchronous = normal')
    },
    async drain(count) {
      for (let done = 0; done < count; done += 1) {
        const token = newId()
        const job = claim.get('bench', token, Date.now() + 30_000, Date.now())
        if (job) complete.run(Date.now(), job.id, token)
      }
    },
    [Symbol.asyncDispose]: async () => void database.close(),
  }
}
