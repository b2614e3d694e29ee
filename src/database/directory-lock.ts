import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { AppError, hasCode, messageOf } from '../errors.ts'

/**
 * Takes a directory for this process alone, until the returned function is called or the process
 * ends, however it ends: two programs that write the same files would undo each other's. The
 * operating system holds the lock, on a database file of its own that stays empty.
 * @throws AppError `directory-in-use`, naming the setting.
 */
export function lockDirectory(directory: string): () => void {
  let lock: SqliteDatabase.Database | undefined
  try {
    mkdirSync(directory, { recursive: true })
    lock = new SqliteDatabase(join(directory, 'landfall.lock'), { timeout: 2_000 })
    lock.exec('begin exclusive')
    const held = lock
    return () => held.close()
  } catch (cause) {
    lock?.close()
    const why = hasCode(cause, 'SQLITE_BUSY') ? 'another Landfall is using it' : messageOf(cause)
    throw new AppError('directory-in-use', 500, `DATA_DIR=${directory}: ${why}`, { cause })
  }
}
