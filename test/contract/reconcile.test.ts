import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AppError } from '../../src/errors.ts'
import type { UploadPosition, UploadStorage } from '../../src/storage/contract.ts'
import { uploadLost } from '../../src/storage/errors.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { assemblingQuery, createReconciler, type Reconciler } from '../../src/uploads/reconcile.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, silent } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { begunUpload, recordsOf, uploadCore, wholeUpload } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

type Complete = UploadStorage['complete']

describe.each(databaseTargets)('the reconciler on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let reconciler: Reconciler | undefined

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await reconciler?.stop()
    await disk.close()
    await test.cleanup()
  })

  const done: Complete = async () => {}
  function start(complete: Complete, database = test.database) {
    const core = uploadCore({ database, storage: { ...disk.storage, complete } })
    reconciler = createReconciler({ database, ...core, logger: silent })
    reconciler.start()
    return core
  }
  const stateOf = async (id: string) => (await findUpload(test.database.queries, id))?.state
  const isStored = async (id: string) => (await stateOf(id)) === 'stored'
  const away = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))

  it('invariant 5: finishes at the start what a crash left assembling, once and with all that follows', async () => {
    const ids = [await wholeUpload(test.database), await wholeUpload(test.database, { length: 0 })]
    const dead = await wholeUpload(test.database)
    await leaseOf(test.database, dead, { holder: 'dead', lastsMs: -1 })
    start(done)
    for (const id of [...ids, dead]) {
      await waitFor(() => isStored(id))
      const all = { state: 'stored', images: 1, jobs: 1, events: 1 }
      expect(await recordsOf(test.database, id)).toEqual(all)
    }
  })

  it('invariant 5: finishes on a timer what storage had no time for', async () => {
    const id = await wholeUpload(test.database)
    let tries = 0
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    start(async () => {
      tries += 1
      if (tries < 3) await away()
    })
    for (const round of [1, 2, 3]) {
      await waitFor(() => tries === round)
      await waitFor(async () => !(await findUpload(test.database.queries, id))?.lease)
      vi.advanceTimersByTime(5_000)
    }
    vi.useRealTimers()
    await waitFor(() => isStored(id))
  })

  it('invariant 5: a "not found" of storage ends as failed, never as stored', async () => {
    const id = await wholeUpload(test.database)
    start(() => Promise.reject(uploadLost(new Error('NoSuchUpload'))))
    await waitFor(async () => (await stateOf(id)) === 'failed')
    const nothing = { images: 0, jobs: 0, events: 0 }
    expect(await recordsOf(test.database, id)).toMatchObject(nothing)
    expect((await findUpload(test.database.queries, id))?.failure).toContain('no longer')
  })

  it('leaves alone what a request is about to finish, and what still takes bytes', async () => {
    const mine = await wholeUpload(test.database)
    const receiving = await begunUpload(test.database)
    await leaseOf(test.database, mine, { holder: 'elsewhere' })
    const free = await wholeUpload(test.database)
    const asked: string[] = []
    start(async ({ id }) => void asked.push(id))
    await waitFor(() => isStored(free))
    await reconciler?.stop()
    expect(asked).toEqual([free])
    expect([await stateOf(mine), await stateOf(receiving)]).toEqual(['assembling', 'receiving'])
  })

  it('is not held up by an upload that storage keeps waiting', async () => {
    const stuck = await wholeUpload(test.database)
    const others = [await wholeUpload(test.database), await wholeUpload(test.database)]
    const gate = Promise.withResolvers<void>()
    start(({ id }) => (id === stuck ? gate.promise : Promise.resolve()))
    for (const id of others) await waitFor(() => isStored(id))
    expect(await stateOf(stuck)).toBe('assembling')
    gate.resolve()
    await waitFor(() => isStored(stuck))
  })

  it('puts what cannot be finished behind the others', async () => {
    const ids = Array.from({ length: 12 }, () => wholeUpload(test.database))
    const [broken = '', ...others] = await Promise.all(ids)
    await test.database.queries
      .updateTable('uploads')
      .set({ updated_at: 1 })
      .where('id', '=', broken)
      .execute()
    start(({ id }) => (id === broken ? away() : Promise.resolve()))
    await waitFor(() => isStored(others[0] ?? ''))
    await reconciler?.stop()
    const { queries } = test.database
    const row = await queries.selectFrom('uploads').selectAll().where('id', '=', broken).execute()
    expect(row).toMatchObject([{ state: 'assembling', updated_at: expect.any(Number) }])
    expect(row[0]?.updated_at).toBeGreaterThan(1)
  })

  it('lists what waits longest first, and nothing that is being finished', async () => {
    const ids = [await wholeUpload(test.database), await wholeUpload(test.database)]
    for (const [index, id] of ids.entries()) {
      const age = { updated_at: 2 - index }
      await test.database.queries.updateTable('uploads').set(age).where('id', '=', id).execute()
    }
    const list = async (limit: number) =>
      (await assemblingQuery(test.database.queries, Date.now(), limit).execute()).map((u) => u.id)
    expect(await list(10)).toEqual(ids.toReversed())
    expect(await list(1)).toEqual([ids[1]])
    await leaseOf(test.database, ids[1] ?? '')
    expect(await list(10)).toEqual([ids[0]])
  })

  it('goes on with the rest at once, so that a great many do not take long', async () => {
    await Promise.all(Array.from({ length: 20 }, () => wholeUpload(test.database)))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    start(done)
    const left = () => assemblingQuery(test.database.queries, Date.now(), 100).execute()
    await waitFor(async () => (await left()).length === 0, { timeoutMs: 10_000 })
  })

  it('tries what cannot be finished once a round only', async () => {
    await Promise.all(Array.from({ length: 12 }, () => wholeUpload(test.database)))
    const tries: string[] = []
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    start(({ id }) => {
      tries.push(id)
      return away()
    })
    await waitFor(() => tries.length >= 8)
    for (let looks = 0; looks < 50; looks += 1) await test.database.check()
    expect(tries).toEqual([...new Set(tries)])
  })

  it('costs one statement a round when there is nothing to do', async () => {
    const { database, statements } = countStatements(test.database)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    start(done, database)
    for (const rounds of [1, 2, 3]) {
      await waitFor(() => statements.length >= rounds)
      for (let turns = 0; turns < 10; turns += 1) await setImmediate()
      expect(statements).toHaveLength(rounds)
      vi.advanceTimersByTime(5_000)
    }
  })

  it('ends after the uploads at hand, and begins no other', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => wholeUpload(test.database)))
    const gate = Promise.withResolvers<void>()
    const asked: string[] = []
    start(async ({ id }: UploadPosition) => {
      asked.push(id)
      await gate.promise
    })
    await waitFor(() => asked.length === 8)
    let stopped = false
    const stopping = reconciler?.stop().then(() => {
      stopped = true
    })
    await setImmediate()
    expect(stopped).toBe(false)
    gate.resolve()
    await stopping
    expect(asked).toHaveLength(8)
    const states = await Promise.all(ids.map(stateOf))
    expect(states.filter((state) => state === 'stored')).toHaveLength(8)
  })
})
