import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readClockOffset } from '../../src/uploads/lease-records.ts'
import type { Leases, LeaseTimes } from '../../src/uploads/leases.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, isRenewal, leaseOf, leasesOf, never } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { begunUpload, record, wholeUpload } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

/** Longer than any test: what is had before was not waited for. */
const lasting = { lease: 600_000, renew: 300_000 }

const [sqlite, postgres] = databaseTargets
if (!sqlite || !postgres) throw new Error('no database to test on')

describe.each(databaseTargets)('leases that a dead process left, on $name', (target) => {
  let test: TestDatabase
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  const leaseInLedger = async (id: string) => (await findUpload(test.database.queries, id))?.lease
  const isGone = (holder: string) => holder === 'dead'

  it('are void from the start on; those of the living and our own stay', async () => {
    const holders = ['dead', 'dead', 'alive', 'here']
    const ids = await Promise.all(holders.map(() => begunUpload(test.database)))
    for (const [index, holder] of holders.entries()) {
      await leaseOf(test.database, ids[index] ?? '', { holder })
    }
    const leases = leasesOf(test.database, { isGone: (holder) => holder !== 'alive' })
    await leases.start()
    await leases.stop()
    const left = await Promise.all(ids.map(async (id) => (await leaseInLedger(id))?.holder))
    expect(left).toEqual([undefined, undefined, 'alive', 'here'])
  })

  it('are taken at once by who wants one', async () => {
    const leases = leasesOf(test.database, { isGone, times: { ...lasting, patience: 0 } })
    for (const id of [await begunUpload(test.database), await wholeUpload(test.database)]) {
      const old = await leaseOf(test.database, id, { holder: 'dead' })
      const { database, statements } = countStatements(test.database)
      const counted = leasesOf(database, { isGone, times: { ...lasting, patience: 0 } })
      await counted.hold(id, never, async (_, lease) => {
        expect(lease?.token).not.toBe(old.token)
        await expect(record(test.database, old, 1)).rejects.toMatchObject({ code: 'lease-lost' })
      })
      expect(statements.length).toBeLessThan(6)
    }
    const living = await begunUpload(test.database)
    await leaseOf(test.database, living, { holder: 'alive' })
    const refused = leases.hold(living, never, async () => {})
    await expect(refused).rejects.toMatchObject({ code: 'upload-locked', status: 423 })
  })

  it('are not waited for by work that can wait, though a request waits for them', async () => {
    const leases = leasesOf(test.database)
    const id = await begunUpload(test.database)
    await leaseOf(test.database, id, { holder: 'alive' })
    const impatient = new AbortController()
    let waits = true
    const waiting = leases
      .hold(id, impatient.signal, async () => {})
      .finally(() => {
        waits = false
      })
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    expect(waits).toBe(true)
    impatient.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('are left alone by work that can wait, until they run out', async () => {
    const leases = leasesOf(test.database, { isGone })
    const id = await begunUpload(test.database)
    await leaseOf(test.database, id, { holder: 'alive' })
    expect(await leases.holdIfFree(id, async () => {})).toBe(false)
    expect((await leaseInLedger(id))?.holder).toBe('alive')
    const ranOut = await begunUpload(test.database)
    await leaseOf(test.database, ranOut, { holder: 'alive', lastsMs: -1 })
    expect(await leases.holdIfFree(ranOut, async () => {})).toBe(true)
  })
})

describe('a lease that another process wants, on PostgreSQL', () => {
  let test: TestDatabase
  let id: string
  const started: Leases[] = []
  beforeEach(async () => {
    test = await postgres.create()
    id = await begunUpload(test.database)
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((leases) => leases.stop()))
    await test.cleanup()
  })

  const open = async (
    holder: string,
    times: Partial<LeaseTimes> = {},
    database = test.database,
  ) => {
    const leases = leasesOf(database, { holder, times: { ...lasting, ...times } })
    started.push(leases)
    await leases.start()
    return leases
  }

  it('is let go of by its holder, with what arrived recorded, long before it runs out', async () => {
    const [one, two] = [await open('one'), await open('two')]
    const began = Promise.withResolvers<void>()
    const first = one.hold(id, never, async (_, lease) => {
      if (!lease) throw new Error('no lease')
      began.resolve()
      const reason = await aborted(lease.letGo)
      expect(reason).toMatchObject({ code: 'upload-locked' })
      expect(lease.lost.aborted).toBe(false)
      await record(test.database, lease, 7)
    })
    await began.promise
    const offset = await two.hold(id, never, async (upload, lease) => {
      expect(upload.lease).toMatchObject({ holder: 'two', token: lease?.token })
      return upload.offset
    })
    await first
    expect(offset).toBe(7)
    const after = await findUpload(test.database.queries, id)
    expect(after?.lease).toBeUndefined()
  })

  it('is let go of by the next holder too, when somebody else comes', async () => {
    const processes = [await open('one'), await open('two'), await open('three')]
    const order: string[] = []
    let before = Promise.resolve()
    const all = processes.map((leases, index) => {
      const began = Promise.withResolvers<void>()
      const previous = before
      before = began.promise
      return previous.then(() =>
        leases.hold(id, never, async (_, lease) => {
          order.push(`${index} begins`)
          began.resolve()
          if (lease && index < 2) await aborted(lease.letGo)
          order.push(`${index} ends`)
        }),
      )
    })
    await Promise.all(all)
    expect(order).toEqual([0, 1, 2].flatMap((index) => [`${index} begins`, `${index} ends`]))
  })

  it('is waited for by looking now and then, and refused with 423 in the end', async () => {
    await open('one')
    const { database, statements } = countStatements(test.database)
    const two = await open('two', { poll: 50, patience: 500 }, database)
    await leaseOf(test.database, id, { holder: 'one' })
    const before = statements.length
    const refused = two.hold(id, never, async () => {})
    await expect(refused).rejects.toMatchObject({ code: 'upload-locked', status: 423 })
    // Three statements a look at most, and no more looks than fit.
    expect(statements.length - before).toBeLessThanOrEqual(3 * 12)
    expect((await findUpload(test.database.queries, id))?.lease).toMatchObject({ holder: 'one' })
  })
})

it('leases on SQLite, where there is one process, are not listened for', async () => {
  const test = await sqlite.create()
  const id = await begunUpload(test.database)
  const { database, statements } = countStatements(test.database)
  const leases = leasesOf(database, { times: { poll: 1, renew: 10 } })
  await leases.start()
  const renewals = () => statements.filter(isRenewal).length
  await leases.hold(id, never, async () => {
    await waitFor(() => renewals() > 5, { intervalMs: 5 })
  })
  await leases.stop()
  await test.cleanup()
  expect(statements.filter((sql) => sql.startsWith('select "lease_token"'))).toEqual([])
})

it('leases go by the clock of the database, wherever the clocks of the machines stand', async () => {
  if (!postgres) throw new Error('no PostgreSQL to test on')
  const { database, cleanup } = await postgres.create()
  const real = Date.now
  try {
    expect(Math.abs((await readClockOffset(database)) ?? 0)).toBeLessThan(60_000)
    Date.now = () => real() + 3_600_000
    const ahead = await readClockOffset(database)
    expect(Math.abs((ahead ?? 0) + 3_600_000)).toBeLessThan(60_000)
  } finally {
    Date.now = real
    await cleanup()
  }
})
