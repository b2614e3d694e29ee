import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { declareComplete, declareLength } from '../../src/uploads/declare.ts'
import {
  createUpload,
  findUpload,
  listUploads,
  markFailed,
  markStored,
  recordProgress,
} from '../../src/uploads/ledger.ts'
import { readParts, readPosition } from '../../src/uploads/position.ts'
import { assemblingQuery } from '../../src/uploads/reconcile.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import {
  begunUpload,
  newUpload,
  positionOf,
  progressTo,
  record,
  wholeUpload,
} from '../support/uploads.ts'

const part = (number: number) => ({ number, size: 10, etag: `"${number}"` })

describe.each(databaseTargets)('the ledger on $name', (target) => {
  let test: TestDatabase
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  const find = (id: string) => findUpload(test.database.queries, id)
  const begin = async (given: Parameters<typeof newUpload>[0] = {}) => {
    const id = await begunUpload(test.database, given)
    return { id, fence: await leaseOf(test.database, id) }
  }

  it('gives back an upload as it was begun', async () => {
    const upload = newUpload({ metadata: 'filename YQ==', filename: 'é.jpg', length: 2 ** 42 })
    await createUpload(test.database.queries, upload)
    expect(await find(upload.id)).toMatchObject({ ...upload, state: 'receiving', offset: 0 })
  })

  it('invariant 1: the offset moves with what is recorded, and never goes down', async () => {
    const { id, fence } = await begin({ length: 30 })
    await record(test.database, fence, 20)
    await expect(record(test.database, fence, 19, { parts: [part(1)] })).rejects.toMatchObject({
      code: 'lease-lost',
    })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 20, partCount: 0 })
    await record(test.database, fence, 20)
    await record(test.database, fence, 21)
    expect(await find(id)).toMatchObject({ offset: 21, state: 'receiving' })
  })

  it('invariant 1: progress is written down with all of its parts or not at all', async () => {
    const { id, fence } = await begin({ length: 100 })
    await record(test.database, fence, 10, { multipartId: 'm', parts: [part(1)] })
    const twice = record(test.database, fence, 30, { multipartId: 'm', parts: [part(2), part(1)] })
    await expect(twice).rejects.toThrow()
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 10, partCount: 1 })
  })

  it('invariant 3: takes several parts at once, and gives them back in order', async () => {
    const { id, fence } = await begin({ length: 200 })
    const parts = Array.from({ length: 12 }, (_, index) => part(index + 1))
    await record(test.database, fence, 110, { multipartId: 'm', parts: parts.slice(0, 11) })
    await record(test.database, fence, 120, { multipartId: 'm', parts: parts.slice(11) })
    expect(await readParts(test.database.queries, id)).toEqual(parts)
    expect(await positionOf(test.database, id)).toEqual({
      id,
      length: 200,
      offset: 120,
      multipartId: 'm',
      tailEpoch: 0,
      tailUnsettled: false,
      partCount: 12,
      unsettledParts: undefined,
      tail: undefined,
    })
  })

  it('invariant 3: knows how the parts are made that may yet land, until they are settled', async () => {
    const { id, fence } = await begin({ length: 2 ** 42 })
    const unsettledParts = { count: 4, size: 2 ** 33 }
    await record(test.database, fence, 0, { multipartId: 'm', unsettledParts })
    expect(await positionOf(test.database, id)).toMatchObject({ unsettledParts })
    await record(test.database, fence, 10, { multipartId: 'm', parts: [part(1)] })
    expect(await positionOf(test.database, id)).toMatchObject({ unsettledParts: undefined })
  })

  it('invariant 4: knows the tail, by key, size and checksum, until it is replaced', async () => {
    const { id, fence } = await begin({ length: 30 })
    const first = { key: 'uploads/x.tail-0', size: 3, crc32: 2 ** 32 - 1 }
    await record(test.database, fence, 3, { tail: first })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 3, tail: first })
    const second = { key: 'uploads/x.tail-1', size: 0, crc32: 0 }
    await record(test.database, fence, 3, { tail: second })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 3, tail: second })
    const unchecked = { key: 'uploads/x.tail-2', size: 4, crc32: undefined }
    await record(test.database, fence, 4, { tail: unchecked })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 4, tail: unchecked })
    await record(test.database, fence, 10, { multipartId: 'm', parts: [part(1)] })
    expect(await positionOf(test.database, id)).toMatchObject({ tail: undefined, partCount: 1 })
  })

  it('invariant 4: names what is about to be made in storage while the offset stays', async () => {
    const { id, fence } = await begin({ length: 30 })
    await record(test.database, fence, 0, { multipartId: '' })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 0, multipartId: '' })
    await record(test.database, fence, 0, { multipartId: 'm' })
    expect(await positionOf(test.database, id)).toMatchObject({ offset: 0, multipartId: 'm' })
  })

  it('invariant 5: says "assembling" with the last byte, before storage is told', async () => {
    const { id, fence } = await begin({ length: 10 })
    await record(test.database, fence, 9)
    expect(await find(id)).toMatchObject({ state: 'receiving' })
    await record(test.database, fence, 10)
    expect(await find(id)).toMatchObject({ state: 'assembling', offset: 10 })
  })

  it('takes no more bytes once an upload is assembling', async () => {
    const { id, fence } = await begin({ length: 10 })
    await record(test.database, fence, 10)
    for (const offset of [10, 11]) {
      await expect(record(test.database, fence, offset)).rejects.toMatchObject({
        code: 'lease-lost',
      })
    }
    expect(await find(id)).toMatchObject({ state: 'assembling', offset: 10 })
  })

  it('has an empty upload assembling from the start', async () => {
    const id = await begunUpload(test.database, { length: 0 })
    expect(await find(id)).toMatchObject({ state: 'assembling', offset: 0 })
  })

  it('takes a deferred length once', async () => {
    const { id, fence } = await begin({ length: undefined })
    await record(test.database, fence, 10)
    expect(await find(id)).toMatchObject({ state: 'receiving', length: undefined })
    const declared = await declareLength(test.database.queries, fence, 99)
    expect(declared).toMatchObject({ id, state: 'receiving', length: 99, offset: 10 })
    await expect(declareLength(test.database.queries, fence, 50)).rejects.toMatchObject({
      code: 'lease-lost',
    })
    expect(await find(id)).toMatchObject({ length: 99 })
  })

  it('is complete when its client says so, with the bytes that are there', async () => {
    const { id, fence } = await begin({ length: undefined })
    await record(test.database, fence, 10)
    await declareComplete(test.database.queries, fence, 10)
    expect(await find(id)).toMatchObject({ state: 'assembling', length: 10 })
  })

  it('is not complete with less than it is said to have', async () => {
    const { id, fence } = await begin({ length: 20 })
    await record(test.database, fence, 10)
    const early = declareComplete(test.database.queries, fence, 10)
    await expect(early).rejects.toMatchObject({ code: 'lease-lost' })
    expect(await find(id)).toMatchObject({ state: 'receiving', length: 20 })
  })

  it('is not complete with its last byte where only its client says when it is', async () => {
    const { id, fence } = await begin({ length: 10 })
    await recordProgress(test.database, fence, progressTo(10), Date.now() + 60_000, false)
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 10, length: 10 })
    await declareComplete(test.database.queries, fence, 10)
    expect(await find(id)).toMatchObject({ state: 'assembling' })
  })

  it('stores an upload once, and forgets its parts, its tail, its lease and its end', async () => {
    const { id, fence } = await begin({ length: 13 })
    const tail = { key: 'uploads/x.tail-0', size: 3, crc32: 1 }
    await record(test.database, fence, 13, { multipartId: 'm', parts: [part(1)], tail })
    const store = () => test.database.transaction((trx) => markStored(trx, fence))
    expect(await store()).toMatchObject({ id, state: 'stored', offset: 13, lease: undefined })
    expect(await store()).toBeUndefined()
    expect(await readParts(test.database.queries, id)).toEqual([])
    expect(await rowOf(test, id)).toMatchObject({
      multipart_id: null,
      tail_key: null,
      tail_crc32: null,
      expires_at: null,
      lease_token: null,
    })
    await markFailed(test.database.queries, fence, 'too late')
    expect(await find(id)).toMatchObject({ state: 'stored' })
  })

  it.each(['stored', 'expired', 'failed'] as const)(
    'takes no failure of an upload that is %s',
    async (state) => {
      const { id, fence } = await begin()
      await test.database.queries.updateTable('uploads').set({ state, failure: 'first' }).execute()
      await markFailed(test.database.queries, fence, 'second')
      expect(await rowOf(test, id)).toMatchObject({ state, failure: 'first' })
    },
  )

  it('stores a whole object from any offset, and only one that has the length', async () => {
    const { id, fence } = await begin({ length: 10 })
    const store = (offset: number) =>
      test.database.transaction((trx) => markStored(trx, fence, progressTo(offset)))
    expect(await store(9)).toBeUndefined()
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 0 })
    expect(await store(10)).toMatchObject({ state: 'stored', offset: 10 })
  })

  it('does not take an upload of unknown length for whole', async () => {
    const { id, fence } = await begin({ length: undefined })
    const whole = progressTo(10, { whole: true })
    expect(await test.database.transaction((trx) => markStored(trx, fence, whole))).toBeUndefined()
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 0 })
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

  it('reads where an upload stands at the same cost, however many parts it has', async () => {
    const { id, fence } = await begin({ length: 100_000 })
    const parts = Array.from({ length: 1_000 }, (_, index) => part(index + 1))
    await record(test.database, fence, 10_000, { multipartId: 'm', parts })
    const { database, statements } = countStatements(test.database)
    expect(await readPosition(database.queries, id)).toMatchObject({ partCount: 1_000 })
    expect(statements).toHaveLength(2)
    expect(statements.join()).toContain('limit')
    expect(await readPosition(database.queries, newId())).toBeUndefined()
  })
})

it('finds what waits to be assembled by an index of those alone, however many uploads there are', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, cleanup } = await sqlite.create()
  await wholeUpload(database)
  const compiled = assemblingQuery(database.queries, 1, 100).compile()
  const explained = { ...compiled, sql: `explain query plan ${compiled.sql}` }
  const { rows } = await database.queries.executeQuery(explained)
  await cleanup()
  expect(JSON.stringify(rows)).toContain('INDEX uploads_to_finish')
  expect(JSON.stringify(rows)).not.toMatch(/SCAN uploads(?! USING)|TEMP B-TREE/)
})

function rowOf({ database }: TestDatabase, id: string) {
  return database.queries
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
}
