/** Many requests at once about the same few uploads, from two processes where there can be two. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { concatenating, expectSound, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leasesOf } from '../support/leases.ts'
import { newSeed, type Random, seededRandom } from '../support/random.ts'
import { contentOf, type StorageUnderTest, sha256, startDisk } from '../support/storage.ts'

const day = 86_400_000
const rounds = 20
const length = 900
const contents = Array.from({ length: 8 }, (_, each) => contentOf(length, each + 1))

type Process = ReturnType<typeof concatenating>

describe.each(databaseTargets)('many requests about the same uploads, on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let witness: ReturnType<typeof witnessOf>
  let processes: readonly Process[]

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    witness = witnessOf(test.database, disk.storage)
    const holders = target.name === 'postgres' ? ['one', 'other'] : ['one']
    processes = holders.map((holder) => {
      // So often that renewals fall in the middle of everything else.
      const times = { lease: 20_000, renew: 5, poll: 5 }
      const leases = leasesOf(test.database, { holder, times })
      return concatenating({ database: test.database, storage: disk.storage, leases })
    })
    for (const { leases } of processes) await leases.start()
  })
  afterEach(async () => {
    for (const { leases } of processes) {
      await leases.drain()
      await leases.stop()
    }
    await disk.close()
    await test.cleanup()
  })

  /** All kinds of requests about a few partial uploads and what is made of them, in no order. */
  function requests(ids: readonly string[], random: Random): (() => Promise<unknown>)[] {
    const core = () => random.pick(processes)
    const finals = ['00000000-0000-7000-8000-000000000000']
    const inNoOrder = <T>(list: readonly T[]) =>
      list
        .map((each) => ({ each, at: random.integer(0, 1_000) }))
        .toSorted((one, other) => one.at - other.at)
        .map(({ each }) => each)
    const lists = [1, 2, 3, 4].map(() => inNoOrder(ids).slice(0, random.integer(1, 4)))
    const complete = ids.map((id, each) => () => {
      const rest = contents[each]?.subarray(300) ?? Buffer.alloc(0)
      return core().append(id, 300, rest)
    })
    const join = [...lists, ...lists].map((list) => async () => {
      const { id } = await core().concatenate(list)
      finals.push(id)
    })
    const expire = async () => {
      await test.database.queries
        .updateTable('uploads')
        .set({ expires_at: 1 })
        .where('id', '=', random.pick(ids))
        .where('expires_at', 'is not', null)
        .execute()
      await witness.sweep()
    }
    const remove = [ids, finals, finals].map((from) => async () => {
      // Some of what others make meanwhile.
      await test.database.check()
      await core().remove(random.pick(from))
    })
    return inNoOrder([...complete, ...join, ...remove, expire, witness.sweep])
  }

  /** What is stored is right, and once that is removed and time has passed nothing is left. */
  async function expectClean(ids: readonly string[]): Promise<number> {
    const [core] = processes
    if (!core) throw new Error('there is no process')
    await expectSound(core, test.database, disk)
    let stored = 0
    for (const id of await witness.ids()) {
      const upload = await witness.find(id)
      if (upload?.concat?.role !== 'final' || upload.state !== 'stored') continue
      stored += 1
      const bytes = upload.concat.sources.flatMap((source) => contents[ids.indexOf(source)] ?? [])
      expect(await witness.digest(id)).toBe(sha256(Buffer.concat(bytes)))
      expect(await core.remove(id)).toBe(true)
    }
    for (const days of [2, 30, 60]) await witness.sweep(Date.now() + days * day)
    await witness.runDiscards()
    expect(await disk.listKeys()).toEqual([])
    const { queries } = test.database
    await queries.deleteFrom('uploads').where('state', '=', 'failed').execute()
    expect(await witness.ids()).toEqual([])
    return stored
  }

  it('end without trouble, and leave nothing behind', async () => {
    const seed = newSeed()
    const random = seededRandom(seed)
    const outcomes: string[] = []
    let stored = 0
    for (let round = 0; round < rounds; round += 1) {
      const begun = contents.map((content) => {
        const size = random.chance(0.5) ? length : 300
        return random.pick(processes).partial(content.subarray(0, size), { length })
      })
      const ids = await Promise.all(begun)
      const running = requests(ids, random).map((request) => request())
      for (const outcome of await Promise.allSettled(running)) {
        if (outcome.status === 'fulfilled') outcomes.push('fulfilled')
        else {
          const { reason } = outcome
          if (!(reason instanceof AppError) || reason.status >= 500) throw reason
          outcomes.push(reason.code)
        }
      }
      stored += await expectClean(ids).catch((error: unknown) => {
        throw new Error(`with the seed ${seed}`, { cause: error })
      })
    }
    // It was worth it: there was some of everything.
    expect(stored).toBeGreaterThan(0)
    expect(new Set(outcomes)).toContain('fulfilled')
    expect(new Set(outcomes)).toContain('bad-concat')
  }, 240_000)
})
