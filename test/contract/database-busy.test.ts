import SqliteDatabase from 'better-sqlite3'
import { expect, it } from 'vitest'
import { createUpload, findUpload } from '../../src/uploads/ledger.ts'
import { databaseTargets } from '../support/databases.ts'
import { newUpload } from '../support/uploads.ts'

it('a write lock held elsewhere is waited for without holding up anything else', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, fresh, cleanup } = await sqlite.create()
  if (fresh.target.kind !== 'sqlite') throw new Error('not SQLite')
  const other = new SqliteDatabase(fresh.target.file)
  other.exec('begin immediate')
  const upload = newUpload()
  let turns = 0
  const ticking = setInterval(() => {
    turns += 1
    if (turns === 20) other.exec('rollback')
  }, 1)
  await createUpload(database.queries, upload)
  clearInterval(ticking)
  expect(turns).toBeGreaterThanOrEqual(20)
  expect(await findUpload(database.queries, upload.id)).toMatchObject({ id: upload.id })
  other.close()
  await cleanup()
})
