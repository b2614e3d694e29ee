import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { databaseFile } from './cached.ts'
import { namesOf } from './names.ts'

/**
 * Takes back what earlier measurements wrote since a database was seeded, however they ended. No
 * program may have it open.
 */
export function removeNewComments(directory: string, count: number): void {
  const { comments } = namesOf(count)
  const last = comments.id(comments.count - 1)
  const database = new SqliteDatabase(join(directory, databaseFile), { fileMustExist: true })
  const undo = database.transaction(() => {
    database.exec('create temp table touched (post_id text primary key, added integer)')
    database
      .prepare(
        'insert into touched select post_id, count(*) from comments where id > ? group by post_id',
      )
      .run(last)
    database.exec(`update posts set comment_count = comment_count - touched.added
      from touched where touched.post_id = posts.id`)
    database.prepare('delete from comments where id > ?').run(last)
    database.exec('delete from events')
  })
  try {
    undo()
    database.pragma('wal_checkpoint(truncate)')
  } finally {
    database.close()
  }
}
