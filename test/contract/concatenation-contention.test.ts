/** Requests about the same concatenation that come at the same time, one between any two statements of another. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { hasCode } from '../../src/errors.ts'
import { expireBatch } from '../../src/uploads/expire.ts'
import { concatenating, expectSound } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { interleave } from '../support/interleaving.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../support/storage.ts'
import { idleQueue } from '../support/uploads.ts'

const day = 86_400_000
const bytes = contentOf(3_000)
const last = bytes.subarray(2_000)
const [, postgres] = databaseTargets

describe('at the same time, on postgres', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  /** The same database, with a list of the transactions that had to end for another one's sake. */
  let database: Database
  const deadlocks: unknown[] = []

  beforeAll(async () => {
    if (!postgres) throw new Error('no database to test on')
    test = await postgres.create()
    const noticed = (error: unknown) => {
      if (error instanceof Error && hasCode(error.cause, '40P01')) deadlocks.push(error.cause)
      throw error
    }
    database = {
      ...test.database,
      transaction: (work) => test.database.transaction(work).catch(noticed),
    }
    disk = await startDisk()
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const core = (through = database) => concatenating({ database: through, storage: disk.storage })

  const setTime = (id: string, left: number) =>
    test.database.queries
      .updateTable('uploads')
      .set({ expires_at: Date.now() + left })
      .where('id', '=', id)
      .execute()
  /** Three partial uploads: one complete, and two that lack their last bytes. */
  async function begin() {
    const whole = await core().partial(bytes)
    const open: string[] = []
    for (const first of [bytes, bytes]) {
      open.push(await core().partial(first.subarray(0, 2_000), { length: 3_000 }))
    }
    const [one = '', other = ''] = open
    await setTime(whole, day / 4)
    return { whole, one, other, all: [whole, one, other] }
  }
  type Begun = Awaited<ReturnType<typeof begin>> & { readonly final: string }
  type Act = (begun: Begun, through?: Database) => Promise<unknown>

  const complete =
    (which: 'one' | 'other'): Act =>
    (begun, through) =>
      core(through).append(begun[which], 2_000, last)
  const remove =
    (which: 'whole' | 'one' | 'final'): Act =>
    (begun, through) =>
      core(through).remove(begun[which])
  const join =
    (...which: ('whole' | 'one' | 'other')[]): Act =>
    (begun, through) =>
      core(through).concatenate(which.map((each) => begun[each]))
  /** At a time when that of the one is over that was complete from the start, and no other one's. */
  const sweepSoon: Act = (_, through = database) =>
    expireBatch(through, idleQueue(), Date.now() + day / 2)
  const sweep: Act = (_, through = database) =>
    expireBatch(through, idleQueue(), Date.now() + 2 * day)

  interface Case {
    readonly name: string
    readonly acts: readonly [Act, Act]
    /** Which are complete before. */
    readonly completed?: readonly ('one' | 'other')[]
    /** Of what there is an upload already. */
    readonly joined?: readonly ('whole' | 'one' | 'other')[]
    readonly isWaiting?: () => Promise<boolean>
    readonly check?: (
      begun: Begun,
      outcomes: readonly PromiseSettledResult<unknown>[],
    ) => Promise<void>
  }
  const finals = () => {
    const { queries } = test.database
    return queries.selectFrom('uploads').selectAll().where('sources', 'is not', null).execute()
  }
  const oneIsStored: Case['check'] = async (_, outcomes) => {
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(await finals()).toMatchObject([{ state: 'stored' }])
  }
  const oneFails: Case['check'] = async (_, outcomes) => {
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(
      outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : [])),
    ).toMatchObject([{ code: 'bad-concat', status: 400 }])
    expect(await finals()).toMatchObject([{ state: 'stored' }])
  }
  /** What was taken for another one is not given up; what was given up is not taken. */
  const wholeOrNot: Case['check'] = async ({ one }, outcomes) => {
    const refused = outcomes.some(({ status }) => status === 'rejected')
    if (refused) return expect(await finals()).toEqual([])
    await core().append(one, 2_000, last)
    await expectSound(core(), test.database, disk)
    expect(await finals()).toMatchObject([{ state: 'stored' }])
  }
  const cases: readonly Case[] = [
    {
      name: 'a list, and the last bytes of one in it',
      acts: [join('whole', 'one'), complete('one')],
      check: oneIsStored,
    },
    {
      name: 'the last bytes of two',
      joined: ['whole', 'one', 'other'],
      acts: [complete('one'), complete('other')],
      check: oneIsStored,
    },
    {
      name: 'a list twice',
      // Both see it then, and one waits until the other one has made it.
      isWaiting: async () => (await finals()).some(({ state }) => state === 'assembling'),
      completed: ['one'],
      acts: [join('whole', 'one'), join('whole', 'one')],
      check: oneIsStored,
    },
    {
      name: 'two lists that share one',
      completed: ['one', 'other'],
      acts: [join('whole', 'one'), join('other', 'whole')],
      check: oneFails,
    },
    {
      name: 'two lists of the same in another order',
      completed: ['one'],
      acts: [join('whole', 'one'), join('one', 'whole')],
      check: oneFails,
    },
    {
      name: 'a list, and the removal of one in it',
      completed: ['one'],
      acts: [join('whole', 'one'), remove('one')],
    },
    {
      name: 'a list with one that is not complete, and the removal of that',
      acts: [join('whole', 'one'), remove('one')],
    },
    { name: 'a list, and the end of the time of those in it', acts: [join('whole', 'one'), sweep] },
    {
      name: 'a list of complete ones, and the end of their time',
      completed: ['one', 'other'],
      acts: [join('other', 'whole', 'one'), sweep],
    },
    {
      name: 'a list, and the end of the time of the complete one in it',
      acts: [join('whole', 'one'), sweepSoon],
      check: wholeOrNot,
    },
    {
      name: 'the last bytes, and the removal of another one',
      joined: ['whole', 'one'],
      acts: [complete('one'), remove('whole')],
    },
    {
      name: 'the last bytes, and the removal of what they are for',
      joined: ['whole', 'one'],
      acts: [complete('one'), remove('final')],
    },
    {
      name: 'the last bytes, and the end of the time of another one',
      joined: ['whole', 'one', 'other'],
      acts: [complete('one'), sweep],
    },
    {
      name: 'the removal of two',
      joined: ['whole', 'one', 'other'],
      acts: [remove('one'), remove('whole')],
    },
    {
      name: 'the removal of the whole and of one in it',
      joined: ['whole', 'one'],
      completed: ['one'],
      acts: [remove('final'), remove('whole')],
    },
    {
      name: 'the removal of one, and the end of the time of another one',
      joined: ['whole', 'one', 'other'],
      acts: [remove('whole'), sweep],
    },
    {
      name: 'the end of the time, seen by two',
      joined: ['whole', 'one', 'other'],
      acts: [sweep, sweep],
    },
  ]
  const bothWays = cases.flatMap(({ name, acts: [one, other], ...rest }) => [
    { name, acts: [one, other] as const, ...rest },
    ...(one === other
      ? []
      : [{ name: `${name}, the other way round`, acts: [other, one] as const, ...rest }]),
  ])

  beforeEach(async () => {
    deadlocks.length = 0
    await test.database.queries.deleteFrom('uploads').execute()
  })
  afterEach(() => expect(deadlocks).toEqual([]))

  it.each(bothWays)(
    '$name: nothing is lost, nobody is told of trouble, and nothing stays behind',
    async ({ acts: [first, second], completed = [], joined, isWaiting, check }) => {
      for (let after = 1, paused = true; paused && after < 60; after += 1) {
        const begun = await begin()
        for (const which of completed) await complete(which)({ ...begun, final: '' })
        const made = joined && (await core().concatenate(joined.map((each) => begun[each])))
        const all = { ...begun, final: made?.id ?? '' }
        const seen = await interleave(
          database,
          (through) => first(all, through),
          () => second(all),
          after,
          isWaiting,
        )
        paused = seen.paused
        for (const each of seen.outcomes) {
          if (each.status === 'rejected') {
            expect(each.reason, `after ${after}`).toMatchObject({
              status: expect.toSatisfy((s) => s < 500),
            })
          }
        }
        await expectSound(core(), test.database, disk)
        await check?.(all, seen.outcomes)
        await test.database.queries.deleteFrom('uploads').execute()
      }
    },
    120_000,
  )

  it.each([
    { name: 'a removal', act: remove('one'), prepare: complete('one') },
    {
      name: 'a sweep',
      act: sweepSoon,
      prepare: async ({ whole, one }: Begun) => {
        await setTime(whole, day)
        await setTime(one, day / 4)
      },
    },
  ])(
    '$name that did not know of a list yet, that list, and the last bytes for it',
    async ({ act, prepare }) => {
      for (let early = 1; early < 8; early += 1) {
        for (let late = early + 1; late < 14; late += 1) {
          const begun = { ...(await begin()), final: '' }
          await prepare(begun)
          const outer = await interleave(
            database,
            (through) =>
              interleave(
                through,
                (inner) => act(begun, inner),
                () => complete('other')(begun),
                late,
              ),
            () => join('whole', 'one', 'other')(begun),
            early,
          )
          expect(outer.outcomes.at(0)).toMatchObject({ status: 'fulfilled' })
          await expectSound(core(), test.database, disk)
          await test.database.queries.deleteFrom('uploads').execute()
        }
      }
    },
    120_000,
  )
})
