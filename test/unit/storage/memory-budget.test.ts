import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryBudget } from '../../../src/storage/memory/budget.ts'
import type { MemoryShare } from '../../../src/storage/memory/share.ts'

const KiB = 2 ** 10
const MiB = 2 ** 20
const full = 8 * MiB
const never = new AbortController().signal
const nothing = () => Buffer.allocUnsafeSlow(0)

describe('a budget of memory', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** The block, which must not have to be waited for. */
  function have(share: MemoryShare, bytes: number, block = nothing(), of = full) {
    const grown = share.grow(block, bytes, of, never)
    if (grown instanceof Promise) throw new Error('it has to wait')
    return grown
  }

  /** What becomes of a wait, to be looked at. */
  function want(share: MemoryShare, bytes: number, signal = never, block = nothing()) {
    const state: { block?: Buffer; error?: unknown } = {}
    Promise.resolve(share.grow(block, bytes, full, signal)).then(
      (grown) => {
        state.block = grown
      },
      (error) => {
        state.error = error
      },
    )
    return state
  }

  it('counts the blocks, not the bytes in them', () => {
    const budget = createMemoryBudget(32 * MiB)
    const share = budget.open()
    expect(budget.held).toBe(0)
    const block = have(share, 1)
    expect(budget.held).toBe(64 * KiB)
    have(share, 64 * KiB + 1, block)
    expect(budget.held).toBe(512 * KiB)
    share.close()
    expect(budget.held).toBe(0)
  })

  it('keeps what was in a block when it grows, and when it shrinks', () => {
    const share = createMemoryBudget(32 * MiB).open()
    const block = have(share, 5)
    block.write('bytes')
    const larger = have(share, MiB, block)
    expect(larger).toHaveLength(4 * MiB)
    expect(String(larger.subarray(0, 5))).toBe('bytes')
    const smaller = share.shrink(larger, 5)
    expect(smaller).toHaveLength(64 * KiB)
    expect(String(smaller.subarray(0, 5))).toBe('bytes')
  })

  it('counts what is being stored until it is released, once', () => {
    const budget = createMemoryBudget(32 * MiB)
    const share = budget.open()
    const stored = share.store(have(share, full))
    expect(budget.held).toBe(full)
    stored.release(true)
    stored.release(true)
    expect(budget.held).toBe(0)
  })

  it('uses a released block again, unless somebody may still read it', () => {
    const share = createMemoryBudget(32 * MiB).open()
    const first = have(share, full)
    share.store(first).release(true)
    const second = have(share, full)
    expect(second).toBe(first)
    share.store(second).release(false)
    expect(have(share, full)).not.toBe(first)
  })

  it('gives blocks back that nobody used for a while, at once', () => {
    const budget = createMemoryBudget(32 * MiB)
    const share = budget.open()
    const block = have(share, full)
    share.store(block).release(true)
    expect(budget.kept).toBe(full)
    vi.advanceTimersByTime(10_000)
    expect(budget.kept).toBe(0)
    expect(block).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('never keeps more blocks ready than it has room for', () => {
    const budget = createMemoryBudget(20 * MiB)
    const shares = [1, 2].map(() => budget.open())
    const stored = shares.map((share) => share.store(have(share, full)))
    for (const { release } of stored) release(true)
    expect(budget.kept).toBe(16 * MiB)
    have(budget.open(), 6 * MiB, nothing(), 6 * MiB)
    expect(budget.kept).toBeLessThanOrEqual(20 * MiB)
  })

  it('makes an upload wait until there is memory', async () => {
    const budget = createMemoryBudget(10 * MiB)
    const [one, other] = [budget.open(), budget.open()]
    const stored = one.store(have(one, full))
    const wanted = want(other, full)
    await vi.advanceTimersByTimeAsync(100)
    expect(wanted).toEqual({})
    expect(one.isCrowded).toBe(true)
    expect(other.isCrowded).toBe(false)
    stored.release(true)
    await vi.advanceTimersByTimeAsync(0)
    expect(wanted.block).toHaveLength(full)
    expect(one.isCrowded).toBe(false)
    expect(budget.held).toBe(full)
  })

  it('lets a wait be aborted, before and while it waits, and takes nothing', async () => {
    const budget = createMemoryBudget(10 * MiB)
    const [one, other] = [budget.open(), budget.open()]
    const stored = one.store(have(one, full))
    const reason = new Error('the lease is lost')
    expect(want(other, full, AbortSignal.abort(reason))).toEqual({})
    const controller = new AbortController()
    const wanted = want(other, full, controller.signal)
    expect(budget.waiting).toBe(1)
    controller.abort(reason)
    await vi.advanceTimersByTimeAsync(0)
    expect(wanted.error).toBe(reason)
    expect(budget.waiting).toBe(0)
    stored.release(true)
    expect(budget.held).toBe(0)
    other.close()
    one.close()
    vi.advanceTimersByTime(60_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells a silent upload to spill when another waits, and not before', async () => {
    const budget = createMemoryBudget(10 * MiB)
    const [silent, other] = [budget.open(), budget.open()]
    const spill = vi.fn()
    silent.onSpill = spill
    const block = have(silent, full)
    silent.listen()
    await vi.advanceTimersByTimeAsync(900)
    expect(spill).not.toHaveBeenCalled()
    const wanted = want(other, full)
    await vi.advanceTimersByTimeAsync(100)
    expect(spill).toHaveBeenCalledOnce()
    silent.store(block).release(true)
    silent.spilled(true)
    await vi.advanceTimersByTimeAsync(0)
    expect(wanted.block).toHaveLength(full)
    expect(silent.spilling).toBe(false)
  })

  it('tells an upload to spill that stands still, though nobody waits', async () => {
    const budget = createMemoryBudget(20 * MiB)
    const [still, other] = [budget.open(), budget.open()]
    const spill = vi.fn()
    still.onSpill = spill
    const block = have(still, full)
    still.listen()
    await vi.advanceTimersByTimeAsync(5_000)
    // No more than half is held.
    expect(spill).not.toHaveBeenCalled()
    const second = have(other, 4 * MiB)
    await vi.advanceTimersByTimeAsync(50)
    expect(spill).toHaveBeenCalledOnce()
    still.store(block).release(true)
    still.spilled(true)
    other.store(second).release(true)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['takes one that sends little for one that stands still', 900, 1],
    ['does not take one that sends slowly for one that stands still', 2_000, 0],
  ])('%s', async (_, bytes, told) => {
    const budget = createMemoryBudget(7 * MiB)
    const share = budget.open()
    const spill = vi.fn()
    share.onSpill = spill
    have(share, 4 * MiB)
    for (let time = 0; time < 3_000; time += 100) {
      share.listen()
      await vi.advanceTimersByTimeAsync(100)
      share.heard(bytes)
    }
    expect(spill).toHaveBeenCalledTimes(told)
  })

  it("does not count what an upload waits for memory or storage as its client's", async () => {
    const budget = createMemoryBudget(7 * MiB)
    const share = budget.open()
    const spill = vi.fn()
    share.onSpill = spill
    have(share, 4 * MiB)
    for (let time = 0; time < 10_000; time += 1_000) {
      share.listen()
      await vi.advanceTimersByTimeAsync(90)
      share.heard(0)
      await vi.advanceTimersByTimeAsync(910)
    }
    expect(spill).not.toHaveBeenCalled()
    share.listen()
    await vi.advanceTimersByTimeAsync(200)
    expect(spill).toHaveBeenCalledOnce()
  })

  it('does not take a busy process for silent clients', async () => {
    const budget = createMemoryBudget(10 * MiB)
    const [silent, other] = [budget.open(), budget.open()]
    const spill = vi.fn()
    silent.onSpill = spill
    have(silent, full)
    silent.listen()
    await vi.advanceTimersByTimeAsync(100)
    want(other, full)
    // The timer comes late: nobody was heard meanwhile, whoever spoke.
    const now = performance.now()
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 400)
    vi.advanceTimersByTime(50)
    expect(spill).not.toHaveBeenCalled()
    clock.mockReturnValue(now + 450)
    vi.advanceTimersByTime(50)
    expect(spill).toHaveBeenCalledOnce()
    clock.mockRestore()
  })

  it('lets one upload at a time go over, by one part, until it is stored', async () => {
    const budget = createMemoryBudget(8 * MiB)
    const shares = [1, 2, 3].map(() => budget.open())
    const blocks = shares.map((share) => have(share, 512 * KiB))
    const [first, second] = shares.map((share, index) => want(share, full, never, blocks[index]))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(first?.block).toHaveLength(full)
    expect(second).toEqual({})
    expect(budget.held).toBe(full + 2 * 512 * KiB)
    // Also while it is being stored no other goes over.
    const stored = shares[0]?.store(Buffer.allocUnsafeSlow(full))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(second).toEqual({})
    stored?.release(true)
    await vi.advanceTimersByTimeAsync(0)
    expect(second?.block).toHaveLength(full)
  })

  it('tells an upload that went over to spill when its time is over', async () => {
    const budget = createMemoryBudget(MiB)
    const share = budget.open()
    const spill = vi.fn()
    share.onSpill = spill
    const over = want(share, full)
    await vi.advanceTimersByTimeAsync(0)
    expect(over.block).toHaveLength(full)
    want(budget.open(), 512 * KiB)
    // Somebody waits, and its client keeps sending.
    for (let time = 0; time < 2_700; time += 100) {
      share.heard(16 * 1_024)
      share.listen()
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(spill).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    expect(spill).toHaveBeenCalledOnce()
  })

  it('lets an upload that went over be when nobody waits any more', async () => {
    const budget = createMemoryBudget(MiB)
    const [over, waiting] = [budget.open(), budget.open()]
    const spill = vi.fn()
    over.onSpill = spill
    const wanted = want(over, full)
    await vi.advanceTimersByTimeAsync(0)
    expect(wanted.block).toHaveLength(full)
    want(waiting, full)
    waiting.close()
    for (let time = 0; time < 5_000; time += 100) {
      over.heard(16 * 1_024)
      over.listen()
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(spill).not.toHaveBeenCalled()
  })

  it('goes on with others when a share is closed while it holds, waits or went over', async () => {
    const budget = createMemoryBudget(MiB)
    const [over, waiting, last] = [budget.open(), budget.open(), budget.open()]
    want(over, full)
    await vi.advanceTimersByTimeAsync(0)
    want(waiting, full)
    const wanted = want(last, 4 * MiB)
    waiting.close()
    over.close()
    await vi.advanceTimersByTimeAsync(600)
    expect(wanted.block).toHaveLength(4 * MiB)
    last.close()
    expect(budget.held).toBe(0)
    expect(budget.waiting).toBe(0)
  })

  it('gives a fast upload the block for its next part at once, while there is plenty', async () => {
    const share = createMemoryBudget(64 * MiB).open()
    const store = (block: Buffer<ArrayBuffer>) => {
      share.store(block).release(true)
      share.filledPart()
    }
    store(have(share, full))
    expect(have(share, 1)).toHaveLength(full)
    vi.advanceTimersByTime(3_000)
    store(Buffer.allocUnsafeSlow(full))
    expect(have(share, 1)).toHaveLength(64 * KiB)
  })
})
