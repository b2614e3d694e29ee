/** How long uploads stay that others are made of. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { expireBatch, expiredQuery } from '../../src/uploads/expire.ts'
import { concatenating, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, type StorageUnderTest, sha256, startDisk } from '../support/storage.ts'
import { idleQueue, newUpload } from '../support/uploads.ts'

const day = 86_400_000
const bytes = contentOf(3_000)

describe.each(databaseTargets)(
  'the time of uploads that others are made of, on $name',
  (target) => {
    let test: TestDatabase
    let disk: StorageUnderTest
    let core: ReturnType<typeof concatenating>
    let witness: ReturnType<typeof witnessOf>

    beforeEach(async () => {
      test = await target.create()
      disk = await startDisk()
      core = concatenating({ database: test.database, storage: disk.storage })
      witness = witnessOf(test.database, disk.storage)
    })
    afterEach(async () => {
      await disk.close()
      await test.cleanup()
    })

    const setAll = (to: { expires_at: number }) =>
      test.database.queries.updateTable('uploads').set(to).execute()

    it('ends for one that is complete and that nothing was made of, and its bytes go', async () => {
      const id = await core.partial(bytes)
      const expiresAt = (await witness.find(id))?.expiresAt ?? 0
      expect(expiresAt).toBeGreaterThan(Date.now() + day / 2)
      await witness.sweep(expiresAt - 1)
      expect(await witness.stateOf(id)).toBe('stored')
      await witness.sweep(expiresAt)
      expect(await witness.stateOf(id)).toBe('expired')
      expect(await witness.events()).toEqual([])
      await witness.runDiscards()
      expect(await disk.listKeys()).toEqual([])
      await witness.sweep(expiresAt + 7 * day)
      expect(await witness.ids()).toEqual([])
    })

    it('is exact for one that nothing was made of, before anything swept it', async () => {
      const id = await core.partial(bytes)
      await setAll({ expires_at: Date.now() - 1 })
      expect(await witness.stateOf(id)).toBe('expired')
      expect(await witness.row(id)).toMatchObject({ state: 'stored' })
    })

    it('is a day for the record of one whose bytes are in another upload, and nothing else goes', async () => {
      const sources = [await core.partial(bytes), await core.partial(bytes)]
      const before = Date.now()
      const { id } = await core.concatenate(sources)
      await witness.runDiscards()
      // Asked once more in between.
      await core.concatenate(sources)
      await witness.sweep(before + day - 1)
      expect(await witness.ids()).toHaveLength(3)
      for (const source of sources) expect(await witness.stateOf(source)).toBe('stored')
      await witness.sweep(Date.now() + day)
      expect(await witness.ids()).toEqual([id])
      expect(await witness.jobs('upload.discard')).toEqual([])
      expect(await disk.listKeys()).toEqual([originalKey(id)])
      expect(await witness.digest(id)).toBe(sha256(Buffer.concat([bytes, bytes])))
    })

    it('invariant 8: does not end for what is stored, made of others or not, whatever is written down', async () => {
      const { id } = await core.concatenate([await core.partial(bytes)])
      const plain = await core.partial(bytes, { isPartial: false })
      const named = await core.partial(bytes, { isPartial: false, metadata: 'partial' })
      await setAll({ expires_at: 1 })
      await witness.sweep(Date.now() + 1_000 * day)
      for (const each of [id, plain, named]) expect(await witness.stateOf(each)).toBe('stored')
      await witness.runDiscards()
      expect(await disk.listKeys()).toEqual([id, plain, named].map(originalKey).toSorted())
      expect(await witness.digest(id)).toBe(sha256(bytes))
    })

    it('does not end for one that another request takes while it is being looked for', async () => {
      const [kept, open] = [
        await core.partial(bytes),
        await core.partial(undefined, { length: 10 }),
      ]
      await test.database.queries
        .updateTable('uploads')
        .set({ expires_at: Date.now() + 60_000 })
        .where('id', '=', kept)
        .execute()
      let final = ''
      // The sweep has seen it as one whose time is over, and has not come to it yet.
      const database: typeof test.database = {
        ...test.database,
        async transaction(work) {
          final ||= (await core.concatenate([kept, open])).id
          return test.database.transaction(work)
        },
      }
      expect(await expireBatch(database, idleQueue(), Date.now() + 120_000)).toBe(1)
      expect(await witness.find(kept)).toMatchObject({ state: 'stored', expiresAt: undefined })
      expect(await witness.stateOf(final)).toBe('receiving')
      expect(await witness.jobs('upload.discard')).toEqual([])
    })

    it('ends for one, too, when the many before it cannot be cleared away', async () => {
      const begun = Array.from({ length: 20 }, () => core.partial(bytes))
      const [last = '', ...others] = await Promise.all(begun)
      await setAll({ expires_at: 1 })
      await test.database.queries
        .updateTable('uploads')
        .set({ expires_at: 2 })
        .where('id', '=', last)
        .execute()
      const queue = idleQueue()
      const failing: typeof queue = {
        ...queue,
        async enqueue(trx, kind, payload, options) {
          if (!JSON.stringify(payload).includes(last)) throw new Error('it cannot be written')
          return queue.enqueue(trx, kind, payload, options)
        },
      }
      const sweeping = expireBatch(test.database, failing, Date.now())
      await expect(sweeping).rejects.toThrow('it cannot be written')
      expect((await witness.row(last))?.state).toBe('expired')
      for (const id of others) expect((await witness.row(id))?.state).toBe('stored')
    })
  },
)

it.each(databaseTargets)(
  'finds on $name what is over, and the parts of an upload, by their indexes',
  async (target) => {
    const { database, cleanup } = await target.create()
    const plan = async (query: { compile(): { readonly sql: string } }) => {
      const explain = target.name === 'sqlite' ? 'explain query plan' : 'explain'
      const compiled = query.compile() as ReturnType<ReturnType<typeof expiredQuery>['compile']>
      const explained = { ...compiled, sql: `${explain} ${compiled.sql}` }
      return JSON.stringify((await database.queries.executeQuery(explained)).rows)
    }
    try {
      const many = Array.from({ length: 3_000 }, (_, each) => ({
        ...rowOf(),
        final_id: each % 100 === 0 ? `final-${each}` : null,
        state: each % 500 === 0 ? ('receiving' as const) : ('stored' as const),
      }))
      for (let start = 0; start < many.length; start += 500) {
        await database.queries
          .insertInto('uploads')
          .values(many.slice(start, start + 500))
          .execute()
      }
      await sql`analyze`.execute(database.queries)
      const over = await plan(expiredQuery(database.queries, Date.now(), 100))
      expect(over).toMatch(/uploads_to_expire/)
      const parts = await plan(
        database.queries
          .selectFrom('uploads')
          .select('id')
          .where('final_id', '=', 'final-100')
          .orderBy('id'),
      )
      expect(parts).toMatch(/uploads_by_final/)
      for (const each of [over, parts]) expect(each).not.toMatch(/Seq Scan|SCAN/)
    } finally {
      await cleanup()
    }
  },
)

function rowOf() {
  const { id, owner, dialect, length, expiresAt } = newUpload()
  const times = { created_at: 1, updated_at: 1, expires_at: expiresAt }
  return { id, owner, dialect, length: length ?? null, offset: 0, tail_size: 0, ...times }
}
