import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Progress } from '../../src/storage/contract.ts'
import {
  assemblingQuery,
  createUpload,
  declareLength,
  findAssembling,
  findUpload,
  listUploads,
  markFailed,
  markStored,
  postponeAssembling,
  readPosition,
  recordProgress,
} from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { newUpload, wholeUpload } from '../support/uploads.ts'

const progress = (offset: number, given: Partial<Progress> = {}): Progress => ({
  offset,
  multipartId: undefined,
  part: undefined,
  tail: undefined,
  ...given,
})

describe.each(databaseTargets)('the ledger on $name', (target) => {
  let test: TestDatabase
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  it('gives back what was recorded, parts in order and without gaps', async () => {
    const { database } = test
    const upload = newUpload({ length: 30 })
    await createUpload(database.queries, upload)
    const part = (number: number) => ({ number, size: 10, etag: `"${number}"` })
    await recordProgress(database, upload.id, 0, progress(10, { multipartId: 'm', part: part(1) }))
    await recordProgress(database, upload.id, 10, progress(20, { multipartId: 'm', part: part(2) }))
    const tail = { key: 'uploads/x.tail-0', size: 3 }
    await recordProgress(database, upload.id, 20, progress(23, { multipartId: 'm', tail }))

    expect(await readPosition(database.queries, upload.id)).toEqual({
      id: upload.id,
      length: 30,
      offset: 23,
      multipartId: 'm',
      parts: [part(1), part(2)],
      tail,
    })
  })

  it('does not move for a writer that was overtaken, and keeps none of its parts', async () => {
    const { database } = test
    const upload = newUpload({ length: 30 })
    await createUpload(database.queries, upload)
    await recordProgress(database, upload.id, 0, progress(20))
    const late = recordProgress(
      database,
      upload.id,
      0,
      progress(10, { part: { number: 1, size: 10, etag: 'late' } }),
    )
    await expect(late).rejects.toMatchObject({ code: 'upload-moved-on' })
    expect(await readPosition(database.queries, upload.id)).toMatchObject({ offset: 20, parts: [] })
  })

  it('says "assembling" with the last byte, before storage is told', async () => {
    const { database } = test
    const upload = newUpload({ length: 10 })
    await createUpload(database.queries, upload)
    await recordProgress(database, upload.id, 0, progress(9))
    expect(await findUpload(database.queries, upload.id)).toMatchObject({ state: 'receiving' })
    await recordProgress(database, upload.id, 9, progress(10))
    expect(await findUpload(database.queries, upload.id)).toMatchObject({ state: 'assembling' })
  })

  it('takes no more bytes once an upload is assembling', async () => {
    const id = await wholeUpload(test.database, { length: 10 })
    await expect(recordProgress(test.database, id, 10, progress(11))).rejects.toMatchObject({
      code: 'upload-moved-on',
    })
  })

  it('has an empty upload assembling from the start', async () => {
    const upload = newUpload({ length: 0 })
    await createUpload(test.database.queries, upload)
    expect(await findUpload(test.database.queries, upload.id)).toMatchObject({
      state: 'assembling',
      offset: 0,
    })
  })

  it('takes a deferred length once, and is whole when everything was there already', async () => {
    const { database } = test
    const upload = newUpload({ length: undefined })
    await createUpload(database.queries, upload)
    await recordProgress(database, upload.id, 0, progress(10))
    expect(await findUpload(database.queries, upload.id)).toMatchObject({
      state: 'receiving',
      length: undefined,
    })
    await declareLength(database.queries, upload.id, 10)
    await declareLength(database.queries, upload.id, 99)
    expect(await findUpload(database.queries, upload.id)).toMatchObject({
      state: 'assembling',
      length: 10,
    })
  })

  it('never changes a length that is known', async () => {
    const { database } = test
    const upload = newUpload({ length: undefined })
    await createUpload(database.queries, upload)
    await declareLength(database.queries, upload.id, 99)
    await declareLength(database.queries, upload.id, 50)
    expect(await findUpload(database.queries, upload.id)).toMatchObject({ length: 99 })
  })

  it('stores an upload once, and forgets its parts', async () => {
    const { database } = test
    const id = await wholeUpload(database, { length: 10 })
    const first = await database.transaction((trx) => markStored(trx, id))
    const second = await database.transaction((trx) => markStored(trx, id))
    expect(first).toMatchObject({ id, state: 'stored', offset: 10 })
    expect(second).toBeUndefined()
    await markFailed(database.queries, id, 'too late')
    expect(await findUpload(database.queries, id)).toMatchObject({ state: 'stored' })
  })

  it('lists what waits to be assembled, longest first, and puts a postponed one last', async () => {
    const { database } = test
    const ids = [await wholeUpload(database), await wholeUpload(database)]
    await database.queries
      .updateTable('uploads')
      .set({ updated_at: 1 })
      .where('id', '=', ids[0] ?? '')
      .execute()
    await database.queries
      .updateTable('uploads')
      .set({ updated_at: 2 })
      .where('id', '=', ids[1] ?? '')
      .execute()
    expect(await findAssembling(database.queries, Date.now(), 10)).toEqual(ids)
    await postponeAssembling(database.queries, ids[0] ?? '')
    expect(await findAssembling(database.queries, Date.now(), 10)).toEqual(ids.toReversed())
    expect(await findAssembling(database.queries, 2, 10)).toEqual([ids[1]])
  })

  it('lists an owner’s uploads newest first, a page at a time', async () => {
    const { database } = test
    const mine = [newUpload(), newUpload(), newUpload()]
    for (const upload of [...mine, newUpload({ owner: 'somebody else' })]) {
      await createUpload(database.queries, upload)
    }
    const newestFirst = mine
      .map(({ id }) => id)
      .toSorted()
      .toReversed()
    const page = await listUploads(database.queries, { owner: 'local', limit: 2 })
    expect(page.map(({ id }) => id)).toEqual(newestFirst.slice(0, 2))
    const rest = await listUploads(database.queries, {
      owner: 'local',
      limit: 2,
      before: newestFirst[1],
    })
    expect(rest.map(({ id }) => id)).toEqual(newestFirst.slice(2))
  })
})

it('finds what waits to be assembled by an index of those alone, however many uploads there are', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, cleanup } = await sqlite.create()
  const compiled = assemblingQuery(database.queries, 1, 100).compile()
  const explained = { ...compiled, sql: `explain query plan ${compiled.sql}` }
  const { rows } = await database.queries.executeQuery(explained)
  await cleanup()
  expect(JSON.stringify(rows)).toContain('INDEX uploads_to_finish')
  expect(JSON.stringify(rows)).not.toMatch(/SCAN|TEMP B-TREE/)
})
