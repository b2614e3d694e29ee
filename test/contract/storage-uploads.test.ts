import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../support/random.ts'
import {
  backends,
  contentOf,
  digestOf,
  inChunks,
  MiB,
  type StorageUnderTest,
  sha256,
  TestLedger,
} from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

describe.each(backends)('uploads in $name', ({ start }) => {
  let backend: StorageUnderTest

  beforeAll(async () => {
    backend = await start()
  })
  afterAll(() => backend?.close())

  /** The object exists, has these bytes, and nothing else is left of the upload. */
  async function expectWhole(ledger: TestLedger, content: Buffer): Promise<void> {
    expect(await backend.storage.head(ledger.key)).toEqual({ size: content.length })
    expect(await digestOf(backend.storage, ledger.key)).toBe(sha256(content))
    expect(await backend.listKeys(ledger.key)).toEqual([ledger.key])
  }

  it('stores a small file that comes in one request', async () => {
    const content = contentOf(123_456)
    const ledger = new TestLedger(content.length)
    expect(await ledger.append(backend.storage, content)).toBe(content.length)
    expect(ledger.position.offset).toBe(content.length)
    await ledger.complete(backend.storage)
    await expectWhole(ledger, content)
  })

  it('makes an empty object of an upload without bytes', async () => {
    const ledger = new TestLedger(0)
    expect(await ledger.append(backend.storage, Buffer.alloc(0))).toBe(0)
    expect(ledger.records).toEqual([])
    await ledger.complete(backend.storage)
    await ledger.complete(backend.storage)
    await expectWhole(ledger, Buffer.alloc(0))
  })

  it('goes on after the recorded offset, request after request', async () => {
    const content = contentOf(200_000)
    const ledger = new TestLedger(content.length)
    for (let end = 1_000; end <= content.length; end += 1_000) {
      expect(await ledger.append(backend.storage, content, end)).toBe(end)
    }
    await ledger.complete(backend.storage)
    await expectWhole(ledger, content)
  })

  it.each([
    ['one byte less than', -1],
    ['exactly', 0],
    ['one byte more than', 1],
  ])('stores a file of %s one and two parts', async (_, extra) => {
    for (const size of [8 * MiB + extra, 16 * MiB + extra]) {
      const content = contentOf(size, size)
      const ledger = new TestLedger(size)
      await ledger.append(backend.storage, content)
      await ledger.complete(backend.storage)
      await expectWhole(ledger, content)
    }
  })

  it('records at least every 16 MiB or full part, and never less than before', async () => {
    const content = contentOf(40 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(backend.storage, content, content.length, 3 * MiB)
    const offsets = [0, ...ledger.records.map((progress) => progress.offset)]
    ledger.records.forEach(({ offset, parts }, index) => {
      const step = offset - (offsets[index] ?? 0)
      expect(step).toBeGreaterThanOrEqual(0)
      expect(step).toBeLessThanOrEqual(Math.max(16 * MiB, parts.length * 8 * MiB))
    })
    await ledger.complete(backend.storage)
    await expectWhole(ledger, content)
  })

  it('stores any file in any pieces, of a known or unknown length', {
    timeout: 60_000,
  }, async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = seededRandom(seed)
      const size =
        random.integer(1, 3) === 1 ? random.integer(1, MiB) : random.integer(MiB, 24 * MiB)
      const content = contentOf(size, seed)
      const ledger = new TestLedger(random.integer(0, 1) ? size : undefined)
      while (ledger.position.offset < size) {
        const { offset } = ledger.position
        const end = Math.min(size, offset + random.integer(1, Math.ceil(size / 2)))
        const chunk = random.integer(10_000, 100_000)
        expect(await ledger.append(backend.storage, content, end, chunk)).toBe(end)
        // The length may become known at any time.
        if (random.integer(0, 3) === 0) ledger.position = { ...ledger.position, length: size }
      }
      await ledger.complete(backend.storage)
      await expectWhole(ledger, content)
      await backend.storage.discard(ledger.position)
    }
  })

  it('keeps what arrived before the client was gone', async () => {
    const content = contentOf(10 * MiB)
    for (const arrived of [5_000, 9 * MiB]) {
      const ledger = new TestLedger(content.length)
      const gone = new Error('the client is gone')
      const body = inChunks(content.subarray(0, arrived), 65_536, gone)
      await expect(ledger.appendBody(backend.storage, body)).rejects.toBe(gone)
      expect(ledger.position.offset).toBe(arrived)
      await ledger.append(backend.storage, content)
      await ledger.complete(backend.storage)
      await expectWhole(ledger, content)
    }
  })

  it('takes no more than the length, and says so', async () => {
    const content = contentOf(100_000)
    const ledger = new TestLedger(60_000)
    await expect(ledger.append(backend.storage, content)).rejects.toMatchObject({
      code: 'upload-too-long',
      status: 413,
    })
    expect(ledger.position.offset).toBe(60_000)
    await ledger.complete(backend.storage)
    await expectWhole(ledger, content.subarray(0, 60_000))
  })

  it('overwrites bytes that were stored and never recorded', async () => {
    const content = contentOf(12 * MiB)
    for (const end of [100_000, 9 * MiB]) {
      const ledger = new TestLedger(content.length)
      await ledger.append(backend.storage, content, 50_000)
      const crash = new Error('crash')
      ledger.beforeRecord = () => {
        throw crash
      }
      const wrong = contentOf(content.length, 2)
      await expect(ledger.append(backend.storage, wrong, end)).rejects.toBe(crash)
      expect(ledger.position.offset).toBe(50_000)
      ledger.beforeRecord = () => {}
      await ledger.append(backend.storage, content)
      await ledger.complete(backend.storage)
      await expectWhole(ledger, content)
    }
  })

  it('stops reading the body when the ledger refuses', async () => {
    const ledger = new TestLedger(64 * MiB)
    const refusal = new Error('the lease is lost')
    ledger.beforeRecord = () => {
      throw refusal
    }
    let returned = false
    async function* endless() {
      try {
        while (true) yield Buffer.alloc(MiB)
      } finally {
        returned = true
      }
    }
    await expect(ledger.appendBody(backend.storage, endless())).rejects.toBe(refusal)
    await waitFor(() => returned)
    expect(ledger.position.offset).toBe(0)
  })

  it('shows no object before the upload is complete', async () => {
    const content = contentOf(9 * MiB)
    const ledger = new TestLedger(content.length)
    await ledger.append(backend.storage, content, content.length - 1)
    expect(await backend.storage.head(ledger.key)).toBeUndefined()
  })

  it('completes twice, one after the other and at the same time', async () => {
    for (const [size, length] of [
      [1_000, undefined],
      [9 * MiB, undefined],
      [9 * MiB, 9 * MiB],
    ]) {
      const content = contentOf(size ?? 0)
      const ledger = new TestLedger(length)
      await ledger.append(backend.storage, content)
      const complete = () => ledger.complete(backend.storage)
      await Promise.all([complete(), complete()])
      await complete()
      await expectWhole(ledger, content)
    }
  })

  it('never takes missing bytes for success', async () => {
    for (const size of [1_000, 9 * MiB]) {
      const content = contentOf(size)
      const ledger = new TestLedger(size + 1)
      await ledger.append(backend.storage, content)
      await backend.storage.discard(ledger.position)
      const lost = { code: 'upload-lost', status: 410 }
      await expect(ledger.complete(backend.storage)).rejects.toMatchObject(lost)
      const more = ledger.appendBody(backend.storage, inChunks(Buffer.from('x')))
      await expect(more).rejects.toMatchObject(lost)
    }
  })

  it('discards an upload at any stage, twice, and nothing of any other', async () => {
    const content = contentOf(9 * MiB)
    const other = new TestLedger(content.length)
    await other.append(backend.storage, content, 5_000)
    for (const end of [0, 5_000, 8 * MiB + 1, content.length]) {
      const ledger = new TestLedger(content.length)
      await ledger.append(backend.storage, content, end)
      if (end === content.length) await ledger.complete(backend.storage)
      // Whoever discards may no longer know of a tail.
      await backend.storage.discard({ ...ledger.position, tail: undefined })
      await backend.storage.discard(ledger.position)
      expect(await backend.listKeys(ledger.key)).toEqual([])
    }
    await other.append(backend.storage, content)
    await other.complete(backend.storage)
    await expectWhole(other, content)
  })
})
