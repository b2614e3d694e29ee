import { Readable } from 'node:stream'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { findImage } from '../../src/images/records.ts'
import {
  forgetKeys,
  forgetQuery,
  judgeKey,
  rememberedMs,
  takeKey,
} from '../../src/uploads/one-request/idempotency.ts'
import { createTakeFile, type FileRequest } from '../../src/uploads/one-request/take-file.ts'
import { createUploadRequests } from '../../src/uploads/service.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, leasesOf } from '../support/leases.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { begunUpload, record, uploadCore } from '../support/uploads.ts'

const bytes = Buffer.from('a file')
const limits = { maxSize: 1_000, expiresIn: 86_400_000 }

describe.each(databaseTargets)('an idempotency key on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  /** As one process takes files; others share its database and storage. */
  function process(holder = 'here') {
    const { database } = test
    const { storage } = disk
    const core = uploadCore({ database, storage, leases: leasesOf(database, { holder }) })
    const { begin } = createUploadRequests({ ...core, database, storage }, limits)
    const take = createTakeFile({ ...core, database, begin })
    return {
      ...core,
      take: async (given: Partial<FileRequest> = {}) => (await take({ ...request(), ...given })).id,
    }
  }
  const request = (): FileRequest => ({
    owner: 'somebody',
    stream: Readable.from([bytes]),
    isChunked: false,
    announced: bytes.length,
    contentType: 'image/jpeg',
    filename: 'a.jpg',
    key: 'the key',
  })
  const ids = async (owner = 'somebody') => {
    const query = test.database.queries.selectFrom('uploads').select(['id', 'state'])
    return query.where('owner', '=', owner).execute()
  }
  const form = (boundary: string) => {
    const text = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n!\r\n--${boundary}--\r\n`
    const stream = Readable.from([Buffer.from(text)])
    const contentType = `multipart/form-data; boundary=${boundary}`
    return { stream, contentType, announced: text.length }
  }
  /** A body that has begun, and goes on when it is told to. */
  function slowBody() {
    const begun = Promise.withResolvers<void>()
    const rest = Promise.withResolvers<void>()
    async function* body() {
      yield bytes.subarray(0, 2)
      begun.resolve()
      await rest.promise
      yield bytes.subarray(2)
    }
    return { stream: Readable.from(body()), begun: begun.promise, rest }
  }

  it('leads to one upload, however many requests come with it at once and wherever', async () => {
    const processes = [process('here'), process('there')]
    const tries = Array.from({ length: 40 }, (_, n) => processes[n % 2]?.take())
    const results = await Promise.allSettled(tries)
    const stored = await ids()
    expect(stored).toMatchObject([{ state: 'stored' }])
    const done = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(new Set(done)).toEqual(new Set([stored[0]?.id]))
    for (const each of results) {
      if (each.status === 'rejected') {
        expect(each.reason).toMatchObject({ code: 'idempotency-in-progress', status: 409 })
      }
    }
    const jobs = await test.database.queries.selectFrom('images').select('id').execute()
    expect(jobs).toHaveLength(1)
  })

  it('leads to what was uploaded with it, and no byte of the repeat is read', async () => {
    const { take } = process()
    const id = await take()
    const stream = Readable.from([bytes])
    expect(await take({ stream })).toBe(id)
    expect(stream.readableDidRead).toBe(false)
    expect(await findImage(test.database.queries, id)).toMatchObject({ filename: 'a.jpg' })
    expect(await take({ owner: 'another' })).not.toBe(id)
    expect(await take({ key: 'another' })).not.toBe(id)
    expect(await take({ key: undefined })).not.toBe(id)
  })

  it.each([
    ['of another length', { announced: 7, stream: Readable.from([bytes, 'x']) }],
    ['of another type', { contentType: 'image/png' }],
    ['of another name', { filename: 'b.jpg' }],
    ['of a length that is not said', { announced: undefined, isChunked: true }],
  ])('is refused with a file %s', async (_, given) => {
    const { take } = process()
    await take()
    const reused = { code: 'idempotency-key-reused', status: 422 }
    await expect(take(given)).rejects.toMatchObject(reused)
    expect(await ids()).toHaveLength(1)
  })

  it('leads a form that was slower than its repeat to what that one uploaded', async () => {
    const { take } = process()
    const { contentType, announced, stream } = form('one')
    const seen = Promise.withResolvers<void>()
    const rest = Promise.withResolvers<void>()
    async function* slow() {
      seen.resolve()
      await rest.promise
      yield* form('one').stream
    }
    const first = take({ contentType, announced, stream: Readable.from(slow()) })
    await seen.promise
    const id = await take({ contentType, announced, stream })
    rest.resolve()
    expect(await first).toBe(id)
    expect(await ids()).toHaveLength(1)
  })

  it('is taken from an upload nobody goes on with, whose writer records nothing then', async () => {
    const { database } = test
    const owner = 'somebody'
    const id = await begunUpload(database, { owner })
    const lease = await leaseOf(database, id, { lastsMs: -1 })
    const keyed = { owner, key: 'the key', request: 'r' }
    const row = { ...keyed, upload_id: id, created_at: Date.now() }
    await database.queries.insertInto('idempotency_keys').values(row).execute()
    const taken = database.transaction((trx) => takeKey(trx, newId(), keyed, () => false))
    expect(await taken).toEqual({ kind: 'new', abandoned: id })
    await expect(record(database, lease, 10)).rejects.toMatchObject({ code: 'lease-lost' })
  })

  it('is the same in a form with another boundary', async () => {
    const { take } = process()
    const id = await take(form('one'))
    expect(await take(form('another'))).toBe(id)
  })

  it('waits for the first request, also for one at another process', async () => {
    const [here, there] = [process('here'), process('there')]
    const { stream, begun, rest } = slowBody()
    const first = here.take({ stream })
    await begun
    const inProgress = { code: 'idempotency-in-progress', status: 409, retryAfter: 1 }
    await expect(here.take()).rejects.toMatchObject(inProgress)
    await expect(there.take()).rejects.toMatchObject(inProgress)
    const reused = { code: 'idempotency-key-reused' }
    await expect(there.take({ filename: 'b.jpg' })).rejects.toMatchObject(reused)
    rest.resolve()
    expect(await there.take().catch(() => first)).toBe(await first)
    expect(await there.take()).toBe(await first)
  })

  it('is free again after a request that broke, also for another one', async () => {
    const { take } = process()
    const { stream, begun, rest } = slowBody()
    const first = take({ stream })
    await begun
    rest.reject(new Error('cut'))
    await expect(first).rejects.toThrow('cut')
    expect(await ids()).toEqual([])
    const id = await take({ filename: 'b.jpg' })
    expect(await ids()).toEqual([{ id, state: 'stored' }])
  })

  it('is free again when the process that had it is gone, and nothing of that comes after', async () => {
    const [here, there] = [process('here'), process('there')]
    const { stream, begun, rest } = slowBody()
    const first = here.take({ stream })
    await begun
    // As after a silence in which its lease ran out.
    await test.database.queries.updateTable('uploads').set({ lease_until: 1 }).execute()
    const id = await there.take()
    rest.resolve()
    await expect(first).rejects.toThrow()
    expect(await ids()).toEqual([{ id, state: 'stored' }])
    expect(await disk.listKeys('uploads/')).toContain(`uploads/${id}`)
  })

  it('goes with its upload, and after a day', async () => {
    const { take, remove } = process()
    const first = await take()
    await remove(first)
    const second = await take()
    expect(second).not.toBe(first)
    const { database } = test
    expect(await forgetKeys(database.queries, Date.now() + rememberedMs - 60_000)).toBe(0)
    const old = Date.now() - rememberedMs
    await database.queries.updateTable('idempotency_keys').set({ created_at: old }).execute()
    const third = await take()
    expect(third).not.toBe(second)
    expect(await forgetKeys(database.queries, Date.now() + rememberedMs)).toBe(1)
    const keyed = { owner: 'somebody', key: 'the key', request: '' }
    expect(await judgeKey(database.queries, keyed, () => false)).toMatchObject({ kind: 'new' })
  })

  it('is forgotten with a hundred others at a time, found by their age', async () => {
    const { queries } = test.database
    const old = { owner: 'a', request: '', upload_id: '', created_at: 1 }
    const rows = Array.from({ length: 150 }, (_, n) => ({ ...old, key: `${n}` }))
    await queries.insertInto('idempotency_keys').values(rows).execute()
    expect(await forgetKeys(queries, Date.now())).toBe(100)
    expect(await forgetKeys(queries, Date.now())).toBe(50)
    if (target.name !== 'sqlite') return
    const { sql: text, parameters } = forgetQuery(queries, 1).compile()
    const plan = await sql.raw(`explain query plan ${text}`).compile(queries)
    const { rows: steps } = await queries.executeQuery({ ...plan, parameters })
    expect(JSON.stringify(steps)).toContain('idempotency_keys_by_age')
  })
})
