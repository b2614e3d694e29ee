import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UploadSource } from '../../src/storage/contract.ts'
import { seededRandom } from '../support/random.ts'
import {
  backends,
  contentOf,
  digestOf,
  MiB,
  type StorageUnderTest,
  sha256,
  storeSources,
  TestLedger,
} from '../support/storage.ts'

const crash = new Error('crash')
const lost = { code: 'upload-lost', status: 410 }
const sizes = [0, 1, 5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 8 * MiB, 13 * MiB, 21 * MiB]

describe.each(backends)(
  'uploads in $name that are made of others',
  { timeout: 120_000 },
  ({ start }) => {
    let backend: StorageUnderTest

    beforeAll(async () => {
      backend = await start()
    })
    afterAll(() => backend?.close())

    const store = (contents: readonly Buffer[]) => storeSources(backend.storage, contents)
    const contentsOf = (list: readonly number[]) => list.map((size, each) => contentOf(size, each))
    const ledgerOf = (sources: readonly UploadSource[]) =>
      new TestLedger(sources.reduce((sum, { size }) => sum + size, 0))

    /** The object has these bytes, and nothing else is left but, where storage left them, sources. */
    async function expectWhole(
      ledger: TestLedger,
      sources: readonly UploadSource[],
      content: Buffer,
    ): Promise<void> {
      expect(ledger.position.offset).toBe(content.length)
      await ledger.complete(backend.storage)
      expect(await backend.storage.head(ledger.key)).toEqual({ size: content.length })
      expect(await digestOf(backend.storage, ledger.key)).toBe(sha256(content))
      for (const { id } of sources) {
        const { position } = new TestLedger()
        await backend.storage.discard({ ...position, id })
      }
      expect(await backend.listKeys()).toEqual([ledger.key])
      await backend.storage.discard(ledger.position)
      expect(await backend.listKeys()).toEqual([])
    }

    it.each([
      ['one', [21 * MiB]],
      ['one small', [1_000]],
      ['one of exactly a part', [8 * MiB]],
      ['two small', [1_000, 2_000]],
      ['many small', Array.from({ length: 40 }, (_, each) => 300_000 + each)],
      ['large', [21 * MiB, 13 * MiB]],
      ['small between large', [13 * MiB, 1, 13 * MiB, 5 * MiB, 5 * MiB - 1, 21 * MiB]],
      ['small at the end', [13 * MiB, 1_000]],
      ['empty', [0, 13 * MiB, 0, 0, 1_000, 0]],
      ['nothing but empty', [0, 0]],
    ])('have all of their bytes, in order: %s', async (_, list) => {
      const contents = contentsOf(list)
      const sources = await store(contents)
      const ledger = ledgerOf(sources)
      await ledger.concatenate(backend.storage, sources)
      await expectWhole(ledger, sources, Buffer.concat(contents))
    })

    it.each([
      ['a a', [0, 0]],
      ['a b a', [0, 1, 0]],
      ['b a a c', [1, 0, 0, 2]],
      ['empty a empty a', [3, 0, 3, 0]],
    ])('may have the same one more than once: %s', async (_, order) => {
      const contents = contentsOf([9 * MiB, 6 * MiB, 1_000, 0])
      const stored = await store(contents)
      const sources = order.flatMap((each) => stored[each] ?? [])
      const ledger = ledgerOf(sources)
      await ledger.concatenate(backend.storage, sources)
      const whole = Buffer.concat(order.flatMap((each) => contents[each] ?? []))
      await expectWhole(ledger, stored, whole)
    })

    it('have the same bytes whatever they are made of', async () => {
      for (let seed = 1; seed <= 6; seed += 1) {
        const random = seededRandom(seed)
        const picked = Array.from({ length: random.integer(1, 6) }, () => random.pick(sizes))
        const stored = await store([...new Set(picked)].map((size) => contentOf(size, size)))
        const order = picked.flatMap((size) => stored.find((source) => source.size === size) ?? [])
        const ledger = ledgerOf(order)
        await ledger.concatenate(backend.storage, order)
        const whole = picked.map((size) => contentOf(size, size))
        await expectWhole(ledger, stored, Buffer.concat(whole))
      }
    })

    it.each([
      ['large and small', [6 * MiB, 1_000, 5 * MiB, 9 * MiB]],
      ['one that is needed again', [6 * MiB, 1_000, 6 * MiB]],
      ['small', [3 * MiB, 3 * MiB, 4 * MiB]],
    ])('go on after a crash before or after anything was recorded: %s', async (_, list) => {
      for (const when of ['before', 'after']) {
        for (let step = 1, isOver = false; !isOver; step += 1) {
          const contents = list.map((size) => contentOf(size, size))
          const distinct = new Map<number, UploadSource>()
          for (const [each, source] of (await store(contents)).entries()) {
            // Equal ones are one and the same, and the other goes.
            if (!distinct.has(list[each] ?? 0)) distinct.set(list[each] ?? 0, source)
            else await backend.storage.discard({ ...new TestLedger().position, id: source.id })
          }
          const sources = list.flatMap((size) => distinct.get(size) ?? [])
          const ledger = ledgerOf(sources)
          const { record } = ledger
          let calls = 0
          const interrupted = async (progress: Parameters<typeof record>[0]) => {
            calls += 1
            if (calls < step) return record(progress)
            // Once dead it says nothing more.
            if (calls === step && when === 'after') await record(progress)
            throw crash
          }
          Object.assign(ledger, { record: interrupted })
          const joined = ledger.concatenate(backend.storage, sources)
          isOver = await joined.then(
            () => true,
            (error) => {
              expect(error).toBe(crash)
              return false
            },
          )
          Object.assign(ledger, { record })
          await ledger.concatenate(backend.storage, sources)
          await expectWhole(ledger, [...distinct.values()], Buffer.concat(contents))
        }
      }
    })

    it('go on after each of many interruptions', async () => {
      const contents = contentsOf([13 * MiB, 70 * MiB, 1_000, 9 * MiB, 2 * MiB])
      const sources = await store(contents)
      const ledger = ledgerOf(sources)
      let rounds = 0
      for (let isOver = false; !isOver; rounds += 1) {
        let calls = 0
        ledger.beforeRecord = () => {
          calls += 1
          if (calls > 2) throw crash
        }
        isOver = await ledger.concatenate(backend.storage, sources).then(
          () => true,
          () => false,
        )
      }
      expect(rounds).toBeGreaterThan(2)
      ledger.beforeRecord = () => {}
      await expectWhole(ledger, sources, Buffer.concat(contents))
    })

    it('end with the reason when the lease is lost, and go on later', async () => {
      const contents = contentsOf([13 * MiB, 21 * MiB, 1_000, 9 * MiB])
      const sources = await store(contents)
      const ledger = ledgerOf(sources)
      const reason = new Error('the lease is lost')
      const already = ledger.concatenate(backend.storage, sources, AbortSignal.abort(reason))
      await expect(already).rejects.toBe(reason)
      expect(ledger.records).toEqual([])
      const lease = new AbortController()
      ledger.beforeRecord = ({ offset }) => {
        if (offset > 13 * MiB) lease.abort(reason)
      }
      const joined = ledger.concatenate(backend.storage, sources, lease.signal)
      await expect(joined).rejects.toBe(reason)
      ledger.beforeRecord = () => {}
      await ledger.concatenate(backend.storage, sources)
      await expectWhole(ledger, sources, Buffer.concat(contents))
    })

    it.each([
      ['large', 9 * MiB],
      ['small', 1_000],
    ])('are lost when one of them is gone: a %s one', async (_, size) => {
      for (const gone of [0, 1, 2]) {
        const sources = await store(contentsOf([size, size, size]))
        const { id } = sources[gone] ?? { id: '' }
        await backend.storage.discard({ ...new TestLedger().position, id })
        const ledger = ledgerOf(sources)
        await expect(ledger.concatenate(backend.storage, sources)).rejects.toMatchObject(lost)
        await backend.storage.discard(ledger.position)
        for (const source of sources) {
          await backend.storage.discard({ ...new TestLedger().position, id: source.id })
        }
        expect(await backend.listKeys()).toEqual([])
      }
    })

    it.each([
      ['large', 9 * MiB],
      ['small', 1_000],
    ])('are lost when one of them is shorter than it was: a %s one', async (_, size) => {
      for (const short of [0, 1]) {
        const sources = await store(contentsOf([size - short, size - (1 - short)]))
        const said = sources.map((source) => ({ ...source, size }))
        const ledger = ledgerOf(said)
        await expect(ledger.concatenate(backend.storage, said)).rejects.toMatchObject(lost)
        await backend.storage.discard(ledger.position)
        for (const { id } of sources) {
          await backend.storage.discard({ ...new TestLedger().position, id })
        }
      }
    })

    it('are no object before they are complete', async () => {
      const sources = await store(contentsOf([9 * MiB, 1_000]))
      const ledger = ledgerOf(sources)
      await ledger.concatenate(backend.storage, sources)
      expect(await backend.storage.head(ledger.key)).toBeUndefined()
      await backend.storage.discard(ledger.position)
      for (const { id } of sources) {
        await backend.storage.discard({ ...new TestLedger().position, id })
      }
      expect(await backend.listKeys()).toEqual([])
    })
  },
)
