import { createHash } from 'node:crypto'
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

const mismatch = new Error('the checksum does not match')
const refuse = () => {
  throw mismatch
}
const never = new AbortController().signal

describe.each(backends)(
  'bytes in $name that count once they are verified',
  { timeout: 120_000 },
  ({ start }) => {
    let backend: StorageUnderTest

    beforeAll(async () => {
      backend = await start()
    })
    afterAll(() => backend?.close())

    async function expectWhole(ledger: TestLedger, content: Buffer): Promise<void> {
      await ledger.complete(backend.storage)
      expect(await digestOf(backend.storage, ledger.key)).toBe(sha256(content))
      expect(await backend.listKeys(ledger.key)).toEqual([ledger.key])
    }

    /** One request with the digest of its bytes, computed while they arrive as the protocols do. */
    function appendChecked(
      ledger: TestLedger,
      bytes: Buffer,
      digest = sha256(bytes),
      error?: Error,
    ): Promise<number> {
      const hash = createHash('sha256')
      async function* hashed() {
        for await (const chunk of inChunks(bytes, 65_536, error)) {
          hash.update(chunk)
          yield chunk
        }
      }
      const verify = () => {
        if (hash.digest('hex') !== digest) throw mismatch
      }
      return ledger.appendBody(backend.storage, hashed(), never, { verify })
    }

    /** What the ledger has, but for what is left to be removed. */
    const standing = ({ position: { staged: _, ...rest }, parts }: TestLedger) => ({
      ...rest,
      parts: [...parts],
    })

    it.each([1_000, 8 * MiB, 8 * MiB + 1, 40 * MiB])(
      'are stored as any others when they are right: %i of them',
      async (size) => {
        for (const length of [size, undefined]) {
          const content = contentOf(size, size)
          const ledger = new TestLedger(length)
          expect(await appendChecked(ledger, content)).toBe(size)
          expect(ledger.position).toMatchObject({ offset: size, staged: undefined })
          await expectWhole(ledger, content)
        }
      },
    )

    it.each([
      [0, 1_000],
      [0, 20 * MiB],
      [100_000, 1_000],
      [100_000, 40 * MiB],
      [9 * MiB, 3 * MiB],
      [9 * MiB, 7 * MiB],
      [14 * MiB, 7 * MiB],
      [16 * MiB, 40 * MiB],
    ])(
      'leave everything as it was when they are wrong: after %i, %i of them',
      async (before, size) => {
        const content = contentOf(before + size + 500)
        const ledger = new TestLedger(content.length)
        await ledger.append(backend.storage, content, before)
        const was = standing(ledger)
        const keys = await backend.listKeys(ledger.key)
        const wrong = contentOf(size, 2)
        const right = content.subarray(before, before + size)
        await expect(appendChecked(ledger, wrong, sha256(right))).rejects.toBe(mismatch)
        expect(standing(ledger)).toEqual(was)
        expect(ledger.position.staged).toBeUndefined()
        if (before > 0) expect(await backend.listKeys(ledger.key)).toEqual(keys)
        await appendChecked(ledger, right)
        expect(ledger.position.offset).toBe(before + size)
        await ledger.append(backend.storage, content)
        await expectWhole(ledger, content)
      },
    )

    it('never count when the body breaks, whatever of it has come', async () => {
      const content = contentOf(30 * MiB)
      const gone = new Error('the client is gone')
      for (const before of [0, 9 * MiB]) {
        for (const came of [0, 1_000, 17 * MiB]) {
          const ledger = new TestLedger(content.length)
          await ledger.append(backend.storage, content, before)
          const was = standing(ledger)
          const cut = content.subarray(before, before + came)
          await expect(appendChecked(ledger, cut, sha256(cut), gone)).rejects.toBe(gone)
          expect(standing(ledger)).toEqual(was)
          await ledger.append(backend.storage, content)
          await expectWhole(ledger, content)
        }
      }
    })

    it('never count when there are more of them than the upload takes', async () => {
      const content = contentOf(20 * MiB)
      for (const size of [1_000, content.length]) {
        const ledger = new TestLedger(size)
        const more = contentOf(size + 1)
        await expect(appendChecked(ledger, more)).rejects.toMatchObject({ code: 'upload-too-long' })
        expect(ledger.position.offset).toBe(0)
        await appendChecked(ledger, content.subarray(0, size))
        await expectWhole(ledger, content.subarray(0, size))
      }
    })

    it('never count when the lease is lost, and nothing is recorded then', async () => {
      for (const came of [1_000, 20 * MiB]) {
        const ledger = new TestLedger(30 * MiB)
        const lease = new AbortController()
        const reason = new Error('the lease is lost')
        let recorded = 0
        async function* body() {
          yield* inChunks(contentOf(came))
          recorded = ledger.records.length
          lease.abort(reason)
          await new Promise(() => {})
        }
        const options = { verify: () => {} }
        const appended = ledger.appendBody(backend.storage, body(), lease.signal, options)
        await expect(appended).rejects.toBe(reason)
        expect(ledger.records.length).toBe(recorded)
        expect(ledger.position.offset).toBe(0)
        const content = contentOf(30 * MiB, 3)
        await ledger.append(backend.storage, content)
        await expectWhole(ledger, content)
      }
    })

    it('are verified also when there are none', async () => {
      const content = contentOf(1_000)
      const ledger = new TestLedger(2_000)
      await ledger.append(backend.storage, content)
      const { length } = ledger.records
      let calls = 0
      const count = () => {
        calls += 1
      }
      const nothing = () => inChunks(Buffer.alloc(0))
      const append = (verify: () => void) =>
        ledger.appendBody(backend.storage, nothing(), never, { verify })
      expect(await append(count)).toBe(1_000)
      expect(calls).toBe(1)
      await expect(append(refuse)).rejects.toBe(mismatch)
      expect(ledger.records.length).toBe(length)
    })

    it('are not verified before all of them have come, and only once', async () => {
      for (const size of [1_000, 20 * MiB]) {
        const ledger = new TestLedger(size)
        const order: string[] = []
        async function* body() {
          yield* inChunks(contentOf(size))
          order.push('end')
        }
        ledger.beforeRecord = ({ offset }) => void (offset > 0 && order.push('record'))
        const verify = () => void order.push('verify')
        await ledger.appendBody(backend.storage, body(), never, { verify })
        expect(order.slice(0, 3)).toEqual(['end', 'verify', 'record'])
        expect(order.filter((each) => each === 'verify')).toHaveLength(1)
      }
    })

    it('make any file in any pieces, right and wrong ones, checked and not', async () => {
      for (let seed = 1; seed <= 6; seed += 1) {
        const random = seededRandom(seed)
        const size = random.integer(MiB, 40 * MiB)
        const content = contentOf(size, seed)
        const ledger = new TestLedger(random.chance(0.5) ? size : undefined)
        while (ledger.position.offset < size) {
          const { offset } = ledger.position
          const end = Math.min(size, offset + random.integer(1, 24 * MiB))
          const bytes = content.subarray(offset, end)
          const kind = random.pick(['right', 'wrong', 'unchecked'])
          if (kind === 'unchecked') await ledger.append(backend.storage, content, end)
          else if (kind === 'right') await appendChecked(ledger, bytes)
          else await expect(appendChecked(ledger, bytes, 'another')).rejects.toBe(mismatch)
          expect(ledger.position.offset).toBe(kind === 'wrong' ? offset : end)
        }
        ledger.position = { ...ledger.position, length: size }
        await expectWhole(ledger, content)
        await backend.storage.discard(ledger.position)
        expect(await backend.listKeys(ledger.key)).toEqual([])
      }
    })
  },
)
