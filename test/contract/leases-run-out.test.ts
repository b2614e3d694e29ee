import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { declareLength } from '../../src/uploads/declare.ts'
import type { Lease } from '../../src/uploads/held-lease.ts'
import type { Leases } from '../../src/uploads/leases.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { type FaultyDatabase, faultyDatabase } from '../support/database-faults.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, leaseOf, leasesOf, never, takeFrom } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { begunUpload, record } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

/** Rounds of renewal and the end of a lease do not fall together, nor does a short pause end one. */
const times = { lease: 1_500, renew: 350, poll: 20 }

/** Both holders are one process here: if it paused, what was due meanwhile has yet to happen. */
const dueTimers = () => delay(1)

describe.each(databaseTargets)('a lease whose holder has trouble, on $name', (target) => {
  let test: TestDatabase
  let faulty: FaultyDatabase
  let id: string
  const started: Leases[] = []
  beforeEach(async () => {
    test = await target.create()
    faulty = faultyDatabase(openDatabase(test.fresh.target))
    id = await begunUpload(test.database, { length: undefined })
  })
  afterEach(async () => {
    faulty.answer()
    await Promise.all(started.splice(0).map((leases) => leases.stop()))
    await faulty.database.close()
    await test.cleanup()
  })

  const open = async (
    given: NonNullable<Parameters<typeof leasesOf>[1]>,
    database = test.database,
  ) => {
    const leases = leasesOf(database, { ...given, times: { ...times, ...given.times } })
    started.push(leases)
    await leases.start()
    return leases
  }
  const here = () => open({ holder: 'here' }, faulty.database)
  const there = () => open({ holder: 'there' })
  const inLedger = async () => (await findUpload(test.database.queries, id))?.lease

  it('is kept by being renewed, and had by nobody else meanwhile', async () => {
    await (await here()).hold(id, never, async (_, lease) => {
      const first = await inLedger()
      await waitFor(async () => ((await inLedger())?.until ?? 0) > (first?.until ?? 0) + 900)
      expect([lease?.lost.aborted, lease?.letGo.aborted]).toEqual([false, false])
      expect(await inLedger()).toMatchObject({ token: lease?.token })
    })
  })

  describe.each([
    ['cannot be reached', () => faulty.goAway()],
    ['does not answer', () => faulty.hang()],
  ])('when the database %s', (_, breakIt) => {
    it('is lost before somebody else can have it, who alone can write then', async () => {
      const leases = await here()
      const other = await there()
      let lostInTime = false
      await leases.hold(id, never, async (_upload, lease) => {
        if (!lease) throw new Error('no lease')
        await record(test.database, lease, 5)
        breakIt()
        const taken = other.hold(id, never, async (found, theirs) => {
          await dueTimers()
          lostInTime = lease.lost.aborted && lease.letGo.aborted
          expect(found.offset).toBe(5)
          await expectPowerless(lease)
          if (theirs) await record(test.database, theirs, 7)
        })
        await taken.finally(() => faulty.answer())
        expect(await aborted(lease.lost)).toMatchObject({ code: 'lease-lost', status: 423 })
      })
      const after = await findUpload(test.database.queries, id)
      expect(after).toMatchObject({ offset: 7, lease: undefined })
      expect(lostInTime).toBe(true)
    })
  })

  it('lasts from when its renewal was asked for, however late the answer comes', async () => {
    // The answer has to come before the lease is over, also where the machine is busy.
    const lease = 2_500
    const leases = await open({ holder: 'here', times: { lease } }, faulty.database)
    const other = await open({ holder: 'there', times: { lease } })
    let lostInTime = false
    await leases.hold(id, never, async (_, mine) => {
      faulty.hang()
      const ends = async () => (await inLedger())?.until ?? 0
      const before = await ends()
      await waitFor(async () => (await ends()) > before, { intervalMs: 5 })
      const until = await ends()
      await waitFor(() => Date.now() > until - 0.75 * lease, { intervalMs: 5 })
      faulty.answer()
      faulty.goAway()
      await other.hold(id, never, async () => {
        await dueTimers()
        lostInTime = mine?.lost.aborted ?? false
      })
      faulty.answer()
    })
    expect(lostInTime).toBe(true)
  })

  it('is lost as soon as it is seen that somebody else took it', async () => {
    // Long before it would have run out.
    const times = { lease: 600_000, renew: 20 }
    const leases = await open({ holder: 'here', times }, faulty.database)
    await leases.hold(id, never, async (_, lease) => {
      if (!lease) throw new Error('no lease')
      const until = Date.now() + 60_000
      const theirs = { holder: 'there', token: newId(), until }
      await takeFrom(test.database, lease, theirs)
      expect(await aborted(lease.lost)).toMatchObject({ code: 'lease-lost' })
      expect(lease.letGo.aborted).toBe(true)
      await expectPowerless(lease)
    })
    expect(await inLedger()).toMatchObject({ holder: 'there' })
  })

  it('that was not given back since the database was away is taken again at once', async () => {
    // It would not run out in time.
    const times = { lease: 600_000, renew: 300_000, patience: 2_000 }
    const leases = await open({ holder: 'here', times }, faulty.database)
    await leases.hold(id, never, async () => faulty.goAway())
    expect(await inLedger()).toMatchObject({ holder: 'here' })
    faulty.answer()
    const left = await inLedger()
    await leases.hold(id, never, async (_, lease) => {
      expect(lease?.token).not.toBe(left?.token)
      expect(await inLedger()).toMatchObject({ token: lease?.token })
    })
    expect(await inLedger()).toBeUndefined()
  })

  it('that was not given back runs out, also while its process renews others', async () => {
    const leases = await here()
    await leases.hold(id, never, async () => faulty.goAway())
    faulty.answer()
    const other = await begunUpload(test.database)
    await leases.hold(other, never, async () => {
      const taken = await (await there()).hold(id, never, async (_, lease) => lease?.token)
      expect(taken).toBeDefined()
    })
  })

  it('that was not given back does not keep an upload from being finished later', async () => {
    const leases = await here()
    await leases.hold(id, never, async () => faulty.goAway())
    faulty.answer()
    const other = await begunUpload(test.database)
    await leases.hold(other, never, async () => {
      await waitFor(() => leases.holdIfFree(id, async () => {}), { timeoutMs: 5_000 })
    })
  })

  it('that a dead process left on an upload whose time is over does not keep anybody busy', async () => {
    await leaseOf(test.database, id, { holder: 'dead', lastsMs: 1_500 })
    await test.database.queries.updateTable('uploads').set({ expires_at: 1 }).execute()
    const { database, statements } = countStatements(test.database)
    const leases = leasesOf(database, {
      isGone: (holder) => holder === 'dead',
      times: { poll: 100 },
    })
    await leases.hold(id, never, async () => {}).catch(() => {})
    expect(statements.length).toBeLessThan(100)
  })

  async function expectPowerless(lease: Lease): Promise<void> {
    /** The lease itself may be renewed at any moment by the one who has it. */
    const standing = async () => {
      const { lease, ...rest } = (await findUpload(test.database.queries, id)) ?? {}
      return { ...rest, token: lease?.token }
    }
    const before = await standing()
    const late = { code: 'lease-lost', status: 423 }
    await expect(record(test.database, lease, 6)).rejects.toMatchObject(late)
    await expect(declareLength(test.database.queries, lease, 9)).rejects.toMatchObject(late)
    expect(await standing()).toEqual(before)
  }
})
