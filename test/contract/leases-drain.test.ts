import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { faultyDatabase } from '../support/database-faults.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, leasesOf, never, writer } from '../support/leases.ts'
import { begunUpload } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

describe.each(databaseTargets)('leases while the program stops, on $name', (target) => {
  let test: TestDatabase
  let id: string
  beforeEach(async () => {
    test = await target.create()
    id = await begunUpload(test.database)
  })
  afterEach(() => test.cleanup())

  const open = (database = test.database) => leasesOf(database)
  const leaseInLedger = async () => (await findUpload(test.database.queries, id))?.lease

  it('makes all let go, refuses new ones, and is done when the last is given back', async () => {
    const leases = open()
    const other = await begunUpload(test.database)
    const first = writer(leases, id)
    const { letGo } = await first.began
    const waiting = writer(leases, id)
    await aborted(letGo)
    let drained = false
    const drain = leases.drain().then(() => {
      drained = true
    })
    const refused = { code: 'stopping', status: 503 }
    await expect(leases.hold(other, never, async () => {})).rejects.toMatchObject(refused)
    await expect(leases.holdNew(newId(), async () => {})).rejects.toMatchObject(refused)
    expect(await leases.holdIfFree(other, async () => {})).toBe(false)
    expect(drained).toBe(false)
    first.finish()
    await expect(waiting.over).rejects.toMatchObject(refused)
    await drain
    expect(await leaseInLedger()).toBeUndefined()
  })

  it('tells a holder nobody waited for that the program stops', async () => {
    const leases = open()
    const first = writer(leases, id)
    const { letGo } = await first.began
    const drain = leases.drain()
    expect(await aborted(letGo)).toMatchObject({ code: 'stopping', status: 503 })
    first.finish()
    await drain
  })

  it('also waits for a lease that is just being taken', async () => {
    // A connection of its own, as its answers are held back.
    const faulty = faultyDatabase(openDatabase(test.fresh.target))
    const leases = open(faulty.database)
    const order: string[] = []
    faulty.hang()
    const holding = leases
      .hold(id, never, async (_, lease) => {
        order.push(`work, asked to let go: ${lease?.letGo.aborted}`)
        await setImmediate()
        order.push('released')
      })
      .catch(() => order.push('refused'))
    await waitFor(() => faulty.heldBack > 0, { intervalMs: 5 })
    const drain = leases.drain().then(() => order.push('drained'))
    await setImmediate()
    faulty.answer()
    await Promise.all([holding, drain])
    expect(order.at(-1)).toBe('drained')
    expect(order[0]).toMatch(/^refused$|asked to let go: true$/)
    expect(await leaseInLedger()).toBeUndefined()
    await faulty.database.close()
  })
})
