import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultPresets } from '../../src/conversion/presets.ts'
import type { Database } from '../../src/database/database.ts'
import { AppError } from '../../src/errors.ts'
import { imageListener } from '../../src/images/upload-listener.ts'
import type { UploadPosition } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { createFinish } from '../../src/uploads/finish.ts'
import { createUpload, findUpload, recordProgress } from '../../src/uploads/ledger.ts'
import type { UploadListener } from '../../src/uploads/listener.ts'
import { createReconciler } from '../../src/uploads/reconcile.ts'
import { createRemoveUpload } from '../../src/uploads/remove.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import {
  contentOf,
  digestOf,
  inChunks,
  type StorageUnderTest,
  sha256,
  startDisk,
} from '../support/storage.ts'
import { idleQueue, newUpload, positionOf } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

const content = contentOf(100_000)

describe.each(databaseTargets)('finishing an upload on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  const queue = idleQueue()
  const listener = imageListener(queue, defaultPresets)

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  /** Receives all bytes, as a request does, and stops right before the upload is finished. */
  async function receive(): Promise<string> {
    const { id } = newUpload()
    await createUpload(test.database.queries, newUpload({ id, length: content.length }))
    let recorded = 0
    await disk.storage.append(
      await positionOf(test.database, id),
      inChunks(content),
      async (progress) => {
        await recordProgress(test.database, id, recorded, progress)
        recorded = progress.offset
      },
    )
    return id
  }

  function finishWith(given: Partial<Parameters<typeof createFinish>[0]> = {}) {
    return createFinish({
      database: test.database,
      storage: disk.storage,
      queue,
      listener,
      ...given,
    })
  }

  it('stores the upload with its image, its job and its event', async () => {
    const id = await receive()
    await finishWith()(id)
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'stored',
      images: 1,
      jobs: 1,
      events: 1,
    })
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })

  it('does it once, however often and at the same time it is asked', async () => {
    const id = await receive()
    const [one, other] = [finishWith(), finishWith()]
    await Promise.all([one(id), one(id), other(id)])
    await one(id)
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'stored',
      images: 1,
      jobs: 1,
      events: 1,
    })
  })

  it('writes none of it when one part cannot be written, and can be done again', async () => {
    const id = await receive()
    const failing: UploadListener = {
      ...listener,
      async stored(trx, upload) {
        await listener.stored(trx, upload)
        throw new Error('the power went')
      },
    }
    await expect(finishWith({ listener: failing })(id)).rejects.toThrow('the power went')
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'assembling',
      images: 0,
      jobs: 0,
      events: 0,
    })
    await finishWith()(id)
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'stored',
      images: 1,
      jobs: 1,
      events: 1,
    })
  })

  it('leaves nothing of an upload that was deleted while its object was being made', async () => {
    const id = await receive()
    const remove = createRemoveUpload({ database: test.database, queue, listener })
    const slow = {
      ...disk.storage,
      complete: async (position: UploadPosition) => {
        await remove(id)
        await test.database.queries.deleteFrom('jobs').execute()
        await disk.storage.complete(position)
      },
    }
    await finishWith({ storage: slow })(id)
    const jobs = await test.database.queries
      .selectFrom('jobs')
      .select(['kind', 'payload'])
      .execute()
    expect(jobs).toEqual([
      { kind: 'upload.discard', payload: JSON.stringify({ id, multipartId: null }) },
    ])
  })

  it('leaves an upload assembling while storage is away', async () => {
    const id = await receive()
    const away = {
      ...disk.storage,
      complete: () => Promise.reject(new AppError('storage-unavailable', 503, 'away')),
    }
    await expect(finishWith({ storage: away })(id)).rejects.toMatchObject({
      code: 'storage-unavailable',
    })
    expect(await recordsOf(test.database, id)).toMatchObject({ state: 'assembling', images: 0 })
  })

  it('reports an upload whose bytes are gone as failed, never as stored', async () => {
    const id = await receive()
    await disk.storage.discard(await positionOf(test.database, id))
    await expect(finishWith()(id)).rejects.toMatchObject({ code: 'upload-lost' })
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'failed',
      images: 0,
      jobs: 0,
      events: 0,
    })
  })

  it('is made good at the next start when a crash came right after storage completed', async () => {
    const id = await receive()
    await disk.storage.complete(await positionOf(test.database, id))
    const reconciler = createReconciler(test.database, finishWith(), pino({ level: 'silent' }))
    reconciler.start()
    await waitFor(async () => (await findUpload(test.database.queries, id))?.state === 'stored')
    await reconciler.stop()
    expect(await recordsOf(test.database, id)).toEqual({
      state: 'stored',
      images: 1,
      jobs: 1,
      events: 1,
    })
  })

  it('is not held up at the start by an upload that cannot be finished', async () => {
    const [broken, good] = [await receive(), await receive()]
    const partlyAway = {
      ...disk.storage,
      complete: async (position: UploadPosition) => {
        if (position.id === broken) throw new AppError('storage-unavailable', 503, 'away')
        await disk.storage.complete(position)
      },
    }
    const finish = finishWith({ storage: partlyAway })
    const reconciler = createReconciler(test.database, finish, pino({ level: 'silent' }))
    reconciler.start()
    const stored = async () => (await findUpload(test.database.queries, good))?.state === 'stored'
    await waitFor(stored, { timeoutMs: 5_000 })
    await reconciler.stop()
    expect(await recordsOf(test.database, broken)).toMatchObject({ state: 'assembling' })
  })

  it('removes an upload with all records at once and leaves the objects to durable jobs', async () => {
    const id = await receive()
    await finishWith()(id)
    const { database } = test
    await database.queries
      .insertInto('renditions')
      .values({
        image_id: id,
        preset: 'former',
        format: 'webp',
        content_type: 'image/webp',
        width: 1,
        height: 1,
        size: 1,
        storage_key: `images/${id}/former.webp`,
        etag: 'e',
      })
      .execute()
    const remove = createRemoveUpload({ database, queue, listener })
    expect(await remove(id)).toBe(true)
    expect(await remove(id)).toBe(false)
    expect(await findUpload(database.queries, id)).toBeUndefined()
    expect(await database.queries.selectFrom('renditions').selectAll().execute()).toEqual([])
    const jobs = await database.queries.selectFrom('jobs').select(['kind', 'payload']).execute()
    expect(jobs).toContainEqual({
      kind: 'upload.discard',
      payload: JSON.stringify({ id, multipartId: null }),
    })
    const removal = jobs.find(({ kind }) => kind === 'storage.remove')
    expect(removal?.payload).toContain(`images/${id}/former.webp`)
  })

  it('removes renditions of a conversion that has not come to its end, too', async () => {
    const id = await receive()
    await finishWith()(id)
    await createRemoveUpload({ database: test.database, queue, listener })(id)
    const jobs = await test.database.queries
      .selectFrom('jobs')
      .select(['kind', 'payload'])
      .execute()
    const removal = jobs.find(({ kind }) => kind === 'storage.remove')
    expect(JSON.parse(removal?.payload ?? '{}').keys).toHaveLength(5)
  })
})

async function recordsOf({ queries }: Database, id: string) {
  const count = async (rows: Promise<unknown[]>) => (await rows).length
  return {
    state: (await findUpload(queries, id))?.state,
    images: await count(queries.selectFrom('images').selectAll().where('id', '=', id).execute()),
    jobs: await count(
      queries.selectFrom('jobs').selectAll().where('dedupe_key', '=', id).execute(),
    ),
    events: await count(
      queries.selectFrom('events').selectAll().where('subject', '=', id).execute(),
    ),
  }
}
