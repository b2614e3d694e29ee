import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { locked } from '../../../src/uploads/errors.ts'
import { HeldLease } from '../../../src/uploads/held-lease.ts'

const lasts = 10_000

describe('a lease in the hands of its holder', () => {
  let lease: HeldLease
  beforeEach(() => {
    vi.useFakeTimers()
    const until = Date.now() + lasts
    lease = new HeldLease('id', { holder: 'me', token: 't', until }, until)
  })
  afterEach(() => vi.useRealTimers())

  const isLost = () => [lease.lost.aborted, lease.letGo.aborted]

  it('is lost some time before its end, when nobody else can have it yet', () => {
    vi.advanceTimersByTime(lasts / 2)
    expect(isLost()).toEqual([false, false])
    vi.advanceTimersByTime(lasts / 2 - lasts / 20)
    expect(isLost()).toEqual([true, true])
    expect(lease.lost.reason).toMatchObject({ code: 'lease-lost', status: 423 })
  })

  it('lasts longer each time it is renewed', () => {
    for (let round = 0; round < 10; round += 1) {
      vi.advanceTimersByTime(3_000)
      lease.renewed(Date.now() + lasts)
    }
    expect(isLost()).toEqual([false, false])
    vi.advanceTimersByTime(lasts)
    expect(isLost()).toEqual([true, true])
  })

  it('lasts as long as was asked for, not counted from when the answer came', () => {
    const until = Date.now() + lasts
    vi.advanceTimersByTime(6_000)
    lease.renewed(until)
    vi.advanceTimersByTime(until - Date.now() - 1)
    expect(isLost()).toEqual([true, true])
  })

  it('is lost at once when the ledger no longer has it, and not before it ever had', () => {
    lease.renewed(undefined)
    expect(isLost()).toEqual([false, false])
    lease.markInLedger()
    lease.renewed(undefined)
    expect(isLost()).toEqual([true, true])
  })

  it('is still held while it is asked for', () => {
    lease.askToLetGo(locked())
    expect(isLost()).toEqual([false, true])
    expect(lease.letGo.reason).toMatchObject({ code: 'upload-locked' })
  })

  it.each(['markEnded', 'markReleased'] as const)('leaves no timer after %s', (end) => {
    lease.markInLedger()
    lease[end]()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(2 * lasts)
    expect(isLost()).toEqual([false, false])
  })

  it('leaves no timer when it is renewed after its end', () => {
    lease.markEnded()
    lease.renewed(Date.now() + lasts)
    lease.renewed(undefined)
    expect(vi.getTimerCount()).toBe(0)
    expect(isLost()).toEqual([false, false])
  })

  it('tells those who wait when it is given back', async () => {
    let released = false
    const waiting = lease.released.then(() => {
      released = true
    })
    await Promise.resolve()
    expect(released).toBe(false)
    lease.markReleased()
    await waiting
  })
})
