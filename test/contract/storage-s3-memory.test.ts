import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/storage/contract.ts'
import { createMemoryBudget, type MemoryBudget } from '../../src/storage/memory/budget.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { type FaultProxy, startFaultProxy } from '../support/s3-faults.ts'
import {
  contentOf,
  digestOf,
  inChunks,
  MiB,
  sha256,
  TestLedger,
  useCredentials,
} from '../support/storage.ts'

describe('uploads that share memory', () => {
  let s3: TestS3
  let faults: FaultProxy
  const content = contentOf(10 * MiB)
  const digest = sha256(content)

  beforeAll(async () => {
    s3 = await startS3()
    useCredentials(s3)
    faults = await startFaultProxy(s3.endpoint)
  })
  afterAll(async () => {
    await faults?.close()
    await s3?.close()
  })
  beforeEach(() => faults.clear())

  /** Storage with a budget, while something runs; the most that was held meanwhile. */
  async function withBudget(
    bytes: number,
    run: (storage: Storage, memory: MemoryBudget) => Promise<void>,
  ): Promise<number> {
    const memory = createMemoryBudget(bytes)
    const { bucket } = s3
    const options = { bucket, endpoint: faults.endpoint, region: 'us-east-1', memory }
    const storage = createS3Storage(options)
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, memory.held)
    }, 1)
    try {
      await run(storage, memory)
    } finally {
      clearInterval(watch)
      await storage.close()
    }
    expect(memory.held).toBe(0)
    expect(memory.waiting).toBe(0)
    return most
  }

  /** A client that sends so much, and then nothing until it is let go. */
  async function* stalling(bytes: Buffer, released: Promise<void>) {
    yield* inChunks(bytes)
    await released
    throw new Error('the client is gone')
  }

  it('holds nothing for a client that sent nothing, and little for one that sent a byte', async () => {
    await withBudget(128 * MiB, async (storage, memory) => {
      const release = Promise.withResolvers<void>()
      for (const [size, held] of [
        [0, 0],
        [1, 65_536],
      ]) {
        const ledger = new TestLedger(content.length)
        const body = stalling(content.subarray(0, size), release.promise)
        void ledger.appendBody(storage, body).catch(() => {})
        await expect.poll(() => memory.held).toBe(held)
      }
      release.resolve()
      await expect.poll(() => memory.held).toBe(0)
    })
  })

  it('lets ten clients finish beside ninety that stopped half-way', {
    timeout: 90_000,
  }, async () => {
    const release = Promise.withResolvers<void>()
    const half = content.subarray(0, MiB)
    const most = await withBudget(16 * MiB, async (storage) => {
      const idle = Array.from({ length: 90 }, async () => {
        const ledger = new TestLedger(content.length)
        await ledger.appendBody(storage, stalling(half, release.promise)).catch(() => {})
        return ledger
      })
      const busy = Array.from({ length: 10 }, () => new TestLedger(content.length))
      await Promise.all(busy.map((ledger) => ledger.append(storage, content)))
      release.resolve()
      // What had arrived is stored, whether its memory was wanted or not.
      for (const ledger of await Promise.all(idle)) {
        expect(ledger.position.offset).toBe(half.length)
        await storage.discard(ledger.position)
      }
      for (const ledger of busy) {
        await ledger.complete(storage)
        expect(await digestOf(storage, ledger.key)).toBe(digest)
        await storage.discard(ledger.position)
      }
    })
    expect(most).toBeLessThanOrEqual((16 + 8) * MiB)
  })

  it('is given back by clients that stand still, before anybody wants it', async () => {
    const release = Promise.withResolvers<void>()
    const half = content.subarray(0, 3 * MiB)
    // Long enough to look several times while it is on its way.
    faults.fail({ operation: 'PutObject', fault: { delayMs: 300 } })
    await withBudget(64 * MiB, async (storage, memory) => {
      const idle = Array.from({ length: 10 }, () => {
        const ledger = new TestLedger(content.length)
        return ledger.appendBody(storage, stalling(half, release.promise)).catch(() => ledger)
      })
      await expect.poll(() => memory.held).toBe(40 * MiB)
      // Half of it is free then, and the others keep what they have, unless storage is very slow.
      await expect.poll(() => memory.held).toBeLessThanOrEqual(32 * MiB)
      expect(faults.count('PutObject')).toBeLessThanOrEqual(4)
      await new TestLedger(content.length).append(storage, content)
      release.resolve()
      await Promise.all(idle)
    })
  })

  it('moves on when parts are larger than all of it', async () => {
    const most = await withBudget(MiB, async (storage) => {
      const ledgers = Array.from({ length: 5 }, () => new TestLedger(content.length))
      await Promise.all(ledgers.map((ledger) => ledger.append(storage, content)))
      for (const ledger of ledgers) {
        await ledger.complete(storage)
        expect(await digestOf(storage, ledger.key)).toBe(digest)
      }
    })
    expect(most).toBeLessThanOrEqual(9 * MiB)
  })

  it('lets clients go on whose memory was wanted back', async () => {
    await withBudget(4 * MiB, async (storage, memory) => {
      const slow = new TestLedger(content.length)
      const isSpilled = () => slow.position.offset === 3 * MiB && memory.waiting === 0
      async function* pausing() {
        yield* inChunks(content.subarray(0, 3 * MiB))
        await expect.poll(isSpilled).toBe(true)
        yield* inChunks(content.subarray(3 * MiB))
      }
      const fast = new TestLedger(content.length)
      await Promise.all([slow.appendBody(storage, pausing()), fast.append(storage, content)])
      for (const ledger of [slow, fast]) {
        await ledger.complete(storage)
        expect(await digestOf(storage, ledger.key)).toBe(digest)
      }
    })
  })

  it('is not kept from a client by thirty that trickle', { timeout: 60_000 }, async () => {
    await withBudget(16 * MiB, async (storage) => {
      let over = false
      async function* trickle() {
        for (let sent = 0; !over; sent += 1) {
          yield content.subarray(sent, sent + 1)
          await delay(100)
        }
      }
      const trickling = Array.from({ length: 30 }, () => {
        const ledger = new TestLedger(content.length)
        return ledger.appendBody(storage, trickle())
      })
      const normal = new TestLedger(content.length)
      await normal.append(storage, content)
      // Nobody had to give anything back for that: they hold less than an eighth.
      expect(faults.count('PutObject')).toBe(0)
      over = true
      await Promise.all(trickling)
    })
  })

  it('ends a wait for memory that is aborted, and takes nothing for it', async () => {
    faults.fail({ operation: 'UploadPart', fault: 'hang' })
    await withBudget(8 * MiB, async (storage, memory) => {
      const controller = new AbortController()
      const reason = new Error('the lease is lost')
      const { signal } = controller
      const appends = Array.from({ length: 3 }, () =>
        new TestLedger(content.length).appendBody(storage, inChunks(content), signal),
      )
      const ended = Promise.all(appends.map((append) => expect(append).rejects.toBe(reason)))
      await expect.poll(() => memory.waiting).toBeGreaterThan(0)
      controller.abort(reason)
      await ended
    })
  })
})
