import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { migrations } from '../../src/database/migrations/index.ts'
import { expireBatch } from '../../src/uploads/expire.ts'
import { releaseLease } from '../../src/uploads/lease-records.ts'
import { findUpload, markFailed } from '../../src/uploads/ledger.ts'
import { readParts } from '../../src/uploads/position.ts'
import { assemblingQuery } from '../../src/uploads/reconcile.ts'
import { databaseTargets } from '../support/databases.ts'
import type { FreshDatabase } from '../support/fresh-databases.ts'
import { leaseOf } from '../support/leases.ts'
import { idleQueue, jobsOf, positionOf, record } from '../support/uploads.ts'

const day = 86_400_000
const states = ['receiving', 'assembling', 'stored', 'failed']

describe.each(databaseTargets)('a database of the first release on $name', (target) => {
  let fresh: FreshDatabase
  let database: Database
  let before: Record<string, unknown>[]

  beforeEach(async () => {
    fresh = await target.fresh()
    database = openDatabase(fresh.target)
    await migrateTo(database, '0001-first-light')
    for (const state of states) await insert(database, state)
    before = await rows(database)
  })
  afterEach(async () => {
    await database.close()
    await fresh.remove()
  })

  it('is brought up to date once, with everything that was in it', async () => {
    expect(await migrate(database)).toEqual([
      '0002-leases-and-expiry',
      '0003-unsettled-parts',
      '0004-protocols',
      '0005-renditions',
      '0006-job-tries',
      '0007-people',
    ])
    expect(await migrate(database)).toEqual([])
    expect(await rows(database)).toEqual(before.map((row) => expect.objectContaining(row)))
    expect(await readParts(database.queries, 'receiving')).toEqual([
      { number: 1, size: 10, etag: 'e' },
    ])
  })

  it('has nobody writing, and a day for what is unfinished', async () => {
    const start = Date.now()
    await migrate(database)
    for (const state of states) {
      expect(await findUpload(database.queries, state)).toMatchObject({ state, lease: undefined })
    }
    const { expiresAt = 0 } = (await findUpload(database.queries, 'receiving')) ?? {}
    expect(expiresAt).toBeGreaterThanOrEqual(start + day)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + day)
    const stored = await database.queries
      .selectFrom('uploads')
      .select(['expires_at', 'lease_wanted'])
      .where('id', '=', 'stored')
      .execute()
    expect(stored).toEqual([{ expires_at: null, lease_wanted: 0 }])
  })

  it('lets an upload go on where it stood, with a tail whose checksum nobody knows', async () => {
    await migrate(database)
    const tail = { key: 'receiving.tail', size: 3, crc32: undefined }
    expect(await positionOf(database, 'receiving')).toEqual({
      id: 'receiving',
      length: 30,
      offset: 13,
      multipartId: 'm',
      tailEpoch: 0,
      tailUnsettled: false,
      partCount: 1,
      unsettledParts: undefined,
      tail,
    })
    const lease = await leaseOf(database, 'receiving')
    await record(database, lease, 30, { multipartId: 'm' })
    expect(await findUpload(database.queries, 'receiving')).toMatchObject({ state: 'assembling' })
  })

  it('names the objects of renditions, and those that a conversion may be writing', async () => {
    for (const [id, state] of [
      ['stored', 'ready'],
      ['receiving', 'processing'],
    ] as const) {
      await sql`insert into images (id, owner, state, size, created_at)
        values (${id}, 'local', ${state}, 1, 1)`.execute(database.queries)
    }
    await sql`insert into renditions
      (image_id, preset, format, content_type, width, height, size, storage_key, etag)
      values ('stored', 'a', 'webp', 'image/webp', 1, 1, 1, 'the/key', 'e')`.execute(
      database.queries,
    )
    await migrate(database)
    const objects = await database.queries
      .selectFrom('rendition_objects')
      .select(['image_id', 'storage_key'])
      .orderBy('storage_key')
      .execute()
    const named = (file: string) => ({
      image_id: 'receiving',
      storage_key: `images/receiving/${file}`,
    })
    const files = ['large-avif.avif', 'large.webp', 'medium.webp', 'small.webp', 'thumb.webp']
    expect(objects).toEqual(
      expect.arrayContaining([{ image_id: 'stored', storage_key: 'the/key' }, ...files.map(named)]),
    )
    expect(objects).toHaveLength(6)
    const { rows: known } = await sql<object>`select frames, revision, fingerprint
      from renditions`.execute(database.queries)
    expect(known).toEqual([{ frames: 1, revision: 1, fingerprint: null }])
  })

  it('lets the reconciler find what was assembling', async () => {
    await migrate(database)
    const found = await assemblingQuery(database.queries, Date.now(), 10).execute()
    expect(found).toEqual([{ id: 'assembling' }])
  })

  it('gives up the unfinished after that day, and clears storage of the failed', async () => {
    await migrate(database)
    expect(await expireBatch(database, idleQueue(), Date.now())).toBe(0)
    expect(await expireBatch(database, idleQueue(), Date.now() + day)).toBe(2)
    const jobs = await jobsOf(database)
    expect(jobs.map(({ payload }) => payload)).toEqual(
      expect.arrayContaining([
        { id: 'receiving', multipartId: 'm', tailEpoch: 0 },
        { id: 'failed', multipartId: 'm', tailEpoch: 0 },
      ]),
    )
    expect(await findUpload(database.queries, 'receiving')).toMatchObject({ state: 'expired' })
    expect(await findUpload(database.queries, 'failed')).toMatchObject({ state: 'failed' })
  })

  it('clears storage also of one that was assembling, and fails only now', async () => {
    await migrate(database)
    const lease = await leaseOf(database, 'assembling')
    await markFailed(database.queries, lease, 'Storage no longer has all of the bytes.')
    await releaseLease(database.queries, lease)
    await expireBatch(database, idleQueue(), Date.now() + 2 * day)
    expect(await jobsOf(database)).toContainEqual({
      kind: 'upload.discard',
      payload: { id: 'assembling', multipartId: 'm', tailEpoch: 0 },
    })
  })
})

async function migrateTo(database: Database, name: string): Promise<void> {
  const provider = { getMigrations: async () => migrations(database.kind) }
  const { error } = await new Migrator({ db: database.queries, provider }).migrateTo(name)
  if (error) throw error
}

/** As the first release wrote it: by its columns alone. */
async function insert({ queries }: Database, state: string): Promise<void> {
  const whole = state === 'receiving' ? 13 : 30
  await sql`insert into uploads
    (id, owner, dialect, length, "offset", metadata, filename, content_type, state, failure,
     multipart_id, tail_key, tail_size, created_at, updated_at, stored_at)
    values (${state}, 'local', 'tus', 30, ${whole}, 'filename YQ==', 'a', 'image/png', ${state},
     ${state === 'failed' ? 'lost' : null}, ${state === 'stored' ? null : 'm'},
     ${state === 'receiving' ? 'receiving.tail' : null}, ${state === 'receiving' ? 3 : 0}, 1, 2,
     ${state === 'stored' ? 3 : null})`.execute(queries)
  if (state === 'stored') return
  await queries
    .insertInto('upload_parts')
    .values({ upload_id: state, number: 1, size: 10, etag: 'e' })
    .execute()
}

async function rows({ queries }: Database): Promise<Record<string, unknown>[]> {
  const { rows: found } = await sql<Record<string, unknown>>`
    select * from uploads order by id`.execute(queries)
  return found
}
