import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { Lease } from '../../src/uploads/held-lease.ts'
import type { Leases } from '../../src/uploads/leases.ts'
import { createUpload, findUpload } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, writer as hold, isRenewal, leasesOf, never } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { begunUpload, newUpload, record, wholeUpload } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

describe.each(databaseTargets)('leases in one process on $name', (target) => {
  let test: TestDatabase
  let id: string
  const started: Leases[] = []
  beforeEach(async () => {
    test = await target.create()
    id = await begunUpload(test.database)
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((leases) => leases.stop()))
    await test.cleanup()
  })

  const open = (given: Parameters<typeof leasesOf>[1] = {}, database = test.database) => {
    const leases = leasesOf(database, given)
    started.push(leases)
    return leases
  }
  /** One that comes alone is not asked to let go. */
  const writer = (leases: Leases, { patient = false, signal = never } = {}) =>
    hold(leases, id, { signal, ...(patient && { work: async () => {} }) })
  const leaseInLedger = async () => (await findUpload(test.database.queries, id))?.lease

  it('is in the ledger while it is held, and gone afterwards', async () => {
    const leases = open()
    await leases.hold(id, never, async (upload, lease) => {
      expect(upload).toMatchObject({ id, state: 'receiving' })
      expect(await leaseInLedger()).toMatchObject({ holder: 'here', token: lease?.token })
      expect(leases.isHeld(upload)).toBe(true)
    })
    expect(await leaseInLedger()).toBeUndefined()
    const free = await findUpload(test.database.queries, id)
    expect(free && leases.isHeld(free)).toBe(false)
    const until = Date.now() - 1
    const ranOut = free && { ...free, lease: { holder: 'other', token: 't', until } }
    expect(ranOut && leases.isHeld(ranOut)).toBe(false)
  })

  it('is given back when the work fails, and the error thrown on', async () => {
    const leases = open()
    const work = leases.hold(id, never, () => Promise.reject(new Error('broken')))
    await expect(work).rejects.toThrow('broken')
    expect(await leaseInLedger()).toBeUndefined()
  })

  it('has one writer at a time, however many come together', async () => {
    const leases = open()
    let [writing, most] = [0, 0]
    const work = () =>
      leases.hold(id, never, async () => {
        most = Math.max(most, ++writing)
        await setImmediate()
        writing -= 1
      })
    await Promise.all(Array.from({ length: 10 }, work))
    expect(most).toBe(1)
  })

  it('goes to a newcomer once the holder, who is asked to let go, has given it back', async () => {
    const leases = open()
    const first = writer(leases)
    const { letGo, lost, token } = await first.began
    expect(letGo.aborted).toBe(false)
    const second = writer(leases, { patient: true })
    expect(await aborted(letGo)).toMatchObject({ code: 'upload-locked', status: 423 })
    expect(await leaseInLedger()).toMatchObject({ token })
    expect(lost.aborted).toBe(false)
    first.finish()
    expect((await second.began).token).not.toBe(token)
    second.finish()
    await second.over
  })

  it('goes to several newcomers in the order they came, so that the last one keeps it', async () => {
    const leases = open()
    const order: number[] = []
    const first = writer(leases)
    await first.began
    const newcomers = [1, 2, 3].map((number) => {
      const newcomer = writer(leases, { patient: number === 3 })
      void newcomer.began.then(() => order.push(number))
      newcomer.finish()
      return newcomer
    })
    first.finish()
    await Promise.all(newcomers.map(({ over }) => over))
    expect(order).toEqual([1, 2, 3])
  })

  it('is refused with 423 while the holder does not let go, which then goes on holding it', async () => {
    const leases = open({ times: { patience: 50 } })
    const first = writer(leases)
    const { token } = await first.began
    const refused = { code: 'upload-locked', status: 423, retryAfter: 1 }
    await expect(writer(leases).over).rejects.toMatchObject(refused)
    expect(await leaseInLedger()).toMatchObject({ token })
    first.finish()
    await first.over
    expect(await leases.hold(id, never, async () => 'free')).toBe('free')
  })

  it('is asked of nobody again for a request that gave up waiting', async () => {
    const leases = open()
    const first = writer(leases)
    await first.began
    const impatient = new AbortController()
    const gaveUp = writer(leases, { signal: impatient.signal })
    const behind = writer(leases, { patient: true })
    await aborted((await first.began).letGo)
    impatient.abort(new Error('the client is gone'))
    await expect(gaveUp.over).rejects.toMatchObject({ name: 'AbortError' })
    first.finish()
    const lease = await behind.began
    expect(lease.letGo.aborted).toBe(false)
    behind.finish()
    await behind.over
    expect(await leaseInLedger()).toBeUndefined()
    expect(await leases.holdIfFree(id, async () => {})).toBe(true)
  })

  it('asks nobody to let go for a request whose client is gone already', async () => {
    const leases = open()
    const first = writer(leases)
    const { letGo } = await first.began
    const gone = writer(leases, { signal: AbortSignal.abort(new Error('the client is gone')) })
    await expect(gone.over).rejects.toThrow('the client is gone')
    expect(letGo.aborted).toBe(false)
    const asked = writer(leases, { patient: true })
    await aborted(letGo)
    first.finish()
    asked.finish()
    await asked.over
  })

  it('costs nothing while a request waits for it, and leaves no timer', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
    const { database, statements } = countStatements(test.database)
    const leases = open({}, database)
    const timersBefore = timers().length
    const first = writer(leases)
    await first.began
    const before = statements.length
    const second = writer(leases, { patient: true })
    await aborted((await first.began).letGo)
    for (let turns = 0; turns < 100; turns += 1) await setImmediate()
    expect(statements.length).toBe(before)
    first.finish()
    second.finish()
    await second.over
    // To give back, to take and to give back.
    expect(statements.length).toBe(before + 3)
    expect(timers().length).toBeLessThanOrEqual(timersBefore)
  })

  it('costs nothing while none is held', async () => {
    const { database, statements } = countStatements(test.database)
    const leases = open({ times: { poll: 1, renew: 1 } }, database)
    await leases.start()
    const before = statements.length
    for (let turns = 0; turns < 200; turns += 1) {
      await test.database.check()
      await setImmediate()
    }
    expect(statements.length).toBe(before)
  })

  it('is not needed for an upload that takes no more bytes', async () => {
    const leases = open()
    for (const state of ['stored', 'failed', 'expired'] as const) {
      await test.database.queries.updateTable('uploads').set({ state }).execute()
      const seen = await leases.hold(id, never, async (upload, lease) => [upload.state, lease])
      expect(seen).toEqual([state, undefined])
    }
    const unknown = leases.hold(newId(), never, async () => {})
    await expect(unknown).rejects.toMatchObject({ code: 'upload-not-found', status: 404 })
  })

  it('can be had for an upload that waits to be assembled', async () => {
    const whole = await wholeUpload(test.database)
    const held = await open().hold(whole, never, async (upload, lease) => [upload.state, !!lease])
    expect(held).toEqual(['assembling', true])
  })

  it('is taken only where it disturbs nobody, for work that can wait', async () => {
    const leases = open()
    const first = writer(leases)
    const { letGo } = await first.began
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    expect(letGo.aborted).toBe(false)
    const waiting = writer(leases, { patient: true })
    await aborted(letGo)
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    first.finish()
    const second = await waiting.began
    expect(second.letGo.aborted).toBe(false)
    waiting.finish()
    await waiting.over
    let ran = 0
    const ask = async (_: unknown, lease: Lease) => {
      ran += 1
      expect(await leaseInLedger()).toMatchObject({ token: lease.token })
    }
    expect(await leases.holdIfFree(id, ask)).toBe(true)
    expect([ran, await leaseInLedger()]).toEqual([1, undefined])
  })

  it('is not taken for work that can wait while its last holder is still at work', async () => {
    const leases = open()
    const first = writer(leases)
    await first.began
    await test.database.queries.updateTable('uploads').set({ lease_until: 1 }).execute()
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    first.finish()
    await leases.hold(id, never, async () => {})
    await first.over
  })

  it('asks work that can wait to let go when a request comes', async () => {
    const leases = open()
    const asked = Promise.withResolvers<void>()
    const idle = leases.holdIfFree(id, async (_, { letGo }) => {
      asked.resolve()
      await aborted(letGo)
    })
    await asked.promise
    expect(await leases.hold(id, never, async () => 'mine')).toBe('mine')
    expect(await idle).toBe(true)
  })

  it('counts as held while a request is about to have it, so that nobody reads past that one', async () => {
    const leases = open()
    const upload = await findUpload(test.database.queries, id)
    if (!upload) throw new Error('there is no upload')
    expect(leases.isHeld(upload)).toBe(false)
    const holding = leases.hold(id, never, async () => {})
    expect(leases.isHeld(upload)).toBe(true)
    await holding
    expect(leases.isHeld(upload)).toBe(false)
  })

  it('of a new upload is not lost before its record is there, and renewed from then on', async () => {
    const { database, statements } = countStatements(test.database)
    const leases = open({ times: { renew: 10 } }, database)
    await leases.start()
    const upload = newUpload()
    await leases.holdNew(upload.id, async (lease, leaseRecord) => {
      const renewals = () => statements.filter(isRenewal).length
      await waitFor(() => renewals() >= 3, { intervalMs: 5 })
      expect([lease.lost.aborted, lease.letGo.aborted]).toEqual([false, false])
      await createUpload(test.database.queries, upload, leaseRecord)
      const until = async () => (await findUpload(test.database.queries, upload.id))?.lease?.until
      await waitFor(async () => ((await until()) ?? 0) > leaseRecord.until)
      expect(lease.lost.aborted).toBe(false)
      await record(test.database, lease, 5)
    })
    const after = await findUpload(test.database.queries, upload.id)
    expect(after).toMatchObject({ offset: 5, lease: undefined })
  })

  it('that the ledger ended together with something else is not lost, nor given back again', async () => {
    const { database, statements } = countStatements(test.database)
    const leases = open({ times: { renew: 10 } }, database)
    await leases.start()
    await leases.hold(id, never, async (_, lease) => {
      await test.database.queries
        .updateTable('uploads')
        .set({ state: 'stored', lease_holder: null, lease_token: null, lease_until: null })
        .execute()
      lease?.markEnded()
      const rounds = () => statements.filter(isRenewal).length
      const before = rounds()
      await waitFor(() => rounds() > before + 2, { intervalMs: 5 })
      expect([lease?.lost.aborted, lease?.letGo.aborted]).toEqual([false, false])
    })
    await leases.stop()
    const givenBack = statements.filter((sql) =>
      /"lease_holder" = \S+,.*"lease_token" = \S+$/.test(sql),
    )
    expect(givenBack).toEqual([])
  })
})
