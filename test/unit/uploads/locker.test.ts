import { describe, expect, it } from 'vitest'
import { createLocker } from '../../../src/uploads/tus/locker.ts'

const never = new AbortController().signal
const settled = async () => {}

describe('the locker', () => {
  it('asks the holder to let go, and gives the lock when it has', async () => {
    const locker = createLocker(settled)
    const order: string[] = []
    const first = locker.newLock('a')
    await first.lock(never, () => {
      order.push('asked')
      void first.unlock().then(() => order.push('released'))
    })
    const second = locker.newLock('a')
    await second.lock(never, () => {})
    order.push('taken over')
    expect(order).toEqual(['asked', 'released', 'taken over'])
  })

  it('lets different uploads be locked at the same time', async () => {
    const locker = createLocker(settled)
    await locker.newLock('a').lock(never, () => {})
    await locker.newLock('b').lock(never, () => {})
  })

  it('answers 423 when the holder does not let go in time', async () => {
    const locker = createLocker(settled, 20)
    await locker.newLock('a').lock(never, () => {})
    const waiting = locker.newLock('a').lock(never, () => {})
    await expect(waiting).rejects.toMatchObject({ status: 423 })
  })

  it('stops waiting for a request that is gone, and leaves the lock to the next', async () => {
    const locker = createLocker(settled)
    const first = locker.newLock('a')
    await first.lock(never, () => {})
    const gone = new AbortController()
    const waiting = locker.newLock('a').lock(gone.signal, () => {})
    gone.abort()
    await expect(waiting).rejects.toMatchObject({ status: 423 })
    await first.unlock()
    await locker.newLock('a').lock(never, () => {})
  })

  it('is not free before what the holder received is recorded', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const locker = createLocker(() => promise)
    const first = locker.newLock('a')
    await first.lock(never, () => {})
    const unlocking = first.unlock()
    let taken = false
    const second = locker
      .newLock('a')
      .lock(never, () => {})
      .then(() => {
        taken = true
      })
    await new Promise((done) => setImmediate(done))
    expect(taken).toBe(false)
    resolve()
    await Promise.all([unlocking, second])
    expect(taken).toBe(true)
  })

  it('gives the lock to one of many that wait, and to each in the end', async () => {
    const locker = createLocker(settled)
    let holders = 0
    let most = 0
    const work = async () => {
      const lock = locker.newLock('a')
      await lock.lock(never, () => {})
      holders += 1
      most = Math.max(most, holders)
      await new Promise((done) => setImmediate(done))
      holders -= 1
      await lock.unlock()
    }
    await Promise.all(Array.from({ length: 50 }, work))
    expect(most).toBe(1)
  })
})
