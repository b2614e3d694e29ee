import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { hasDirectUploads } from '../../src/storage/direct-uploads.ts'
import { storageUnavailable } from '../../src/storage/errors.ts'
import { incomingKey, originalKey } from '../../src/storage/keys.ts'
import { expireBatch } from '../../src/uploads/expire.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { dueQuery, type LinkSweepDependencies, sweepLinks } from '../../src/uploads/links/sweep.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, never, silent } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { backends, contentOf, type StorageUnderTest } from '../support/storage.ts'
import { begunUpload, countCalls, linksOf, recordsOf, uploadCore } from '../support/uploads.ts'

const content = contentOf(20_000)
const other = contentOf(20_000, 2)
const minute = 60_000
const hour = 60 * minute
const setups = databaseTargets.flatMap((target) =>
  backends.map((backend) => ({ name: `${backend.name} and ${target.name}`, target, backend })),
)

describe.each(setups)('an upload by link on $name', ({ target, backend }) => {
  let test: TestDatabase
  let stand: StorageUnderTest
  let isDirect: boolean

  beforeAll(async () => {
    stand = await backend.start()
    isDirect = hasDirectUploads(stand.storage)
  })
  afterAll(() => stand.close())
  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  function core(given: { storage?: StorageUnderTest['storage'] } = {}) {
    const options = { database: test.database, storage: stand.storage, ...given }
    const parts = uploadCore(options)
    return { ...parts, links: linksOf(parts, options) }
  }
  type Core = ReturnType<typeof core>

  async function begun({ links }: Core, size = content.length) {
    const wish = { owner: 'local', size, filename: 'a.jpg', contentType: 'image/jpeg' }
    return links.begin(wish)
  }

  /** As a client does with the link it was given. */
  async function send(
    { links }: Core,
    { id, url, headers }: Awaited<ReturnType<typeof begun>>,
    body = content,
  ) {
    if (url === undefined) {
      await links.takeContent(id, bodyOf(body), never)
      return
    }
    const response = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) })
    await response.arrayBuffer()
    expect(response.status).toBe(200)
  }
  const bodyOf = (bytes: Buffer, announced = bytes.length) => ({
    stream: Readable.from([bytes]),
    announced,
  })
  const keyOf = (_: string, key: string) => key
  const find = (id: string) => findUpload(test.database.queries, id)
  const original = async (id: string) => buffer(await stand.storage.read(originalKey(id)))
  const row = (id: string) =>
    test.database.queries
      .selectFrom('uploads')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
  function sweep({ links }: Core, now: number, given: Partial<LinkSweepDependencies> = {}) {
    const { complete } = links
    const { database } = test
    return sweepLinks({ database, complete, logger: silent, expiresIn: 24 * hour, ...given }, now)
  }
  /** What is left to be removed later, and when that is. */
  const removals = async () =>
    (await test.database.queries.selectFrom('jobs').select(['kind', 'payload', 'run_at']).execute())
      .filter(({ kind }) => kind === 'storage.remove')
      .map(({ payload, run_at }) => ({ ...(JSON.parse(payload) as { keys: string[] }), run_at }))
      .sort((a, b) => a.run_at - b.run_at)

  it('is one in the ledger from the start, and is good for an hour', async () => {
    const parts = core()
    const before = Date.now()
    const link = await begun(parts)
    expect(link.until).toBeGreaterThanOrEqual(before + hour)
    expect(link.until).toBeLessThanOrEqual(Date.now() + hour)
    expect(link.headers).toEqual({ 'Content-Type': 'image/jpeg' })
    expect(link.url !== undefined).toBe(isDirect)
    const { dialect, state, length, offset, filename, expiresAt = 0 } = (await find(link.id)) ?? {}
    expect({ dialect, state, length, offset, filename }).toEqual({
      dialect: 'link',
      state: 'receiving',
      length: content.length,
      offset: 0,
      filename: 'a.jpg',
    })
    expect(expiresAt).toBeGreaterThanOrEqual(before + 2 * hour)
  })

  it('has its bytes and all that follows once it is confirmed', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    expect(await find(link.id)).toMatchObject({ state: 'receiving' })
    const upload = await parts.links.complete(link.id)
    expect(upload).toMatchObject({ state: 'stored', offset: content.length })
    expect((await original(link.id)).equals(content)).toBe(true)
    const once = { state: 'stored', images: 1, jobs: 1, events: 1 }
    expect(await recordsOf(test.database, link.id)).toMatchObject(once)
    expect(await row(link.id)).toMatchObject({ link_check_at: null, lease_token: null })
  })

  it('is the same when it is confirmed again, also at the same time', async () => {
    const [parts, others] = [core(), core()]
    const link = await begun(parts)
    await send(parts, link)
    const all = [parts, parts, others, others].map(({ links }) => links.complete(link.id))
    for (const upload of await Promise.all(all)) expect(upload).toMatchObject({ state: 'stored' })
    await parts.links.complete(link.id)
    const once = { state: 'stored', images: 1, jobs: 1, events: 1 }
    expect(await recordsOf(test.database, link.id)).toMatchObject(once)
  })

  it('cannot be confirmed before its bytes are there, and can be after that', async () => {
    const parts = core()
    const link = await begun(parts)
    const early = parts.links.complete(link.id)
    await expect(early).rejects.toMatchObject({ code: 'upload-not-arrived', status: 409 })
    await send(parts, link)
    expect(await parts.links.complete(link.id)).toMatchObject({ state: 'stored' })
  })

  it('never changes once it is confirmed, whatever is sent by the link', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    await parts.links.complete(link.id)
    const again = send(parts, link, other)
    if (isDirect) await again
    else await expect(again).rejects.toMatchObject({ code: 'upload-arrived', status: 409 })
    await parts.links.complete(link.id)
    expect((await original(link.id)).equals(content)).toBe(true)
  })

  it('is unknown where there is none, or it came by another way', async () => {
    const { links } = core()
    await expect(links.complete(newId())).rejects.toMatchObject({ status: 404 })
    const id = await begunUpload(test.database)
    await expect(links.complete(id)).rejects.toMatchObject({ status: 404 })
  })

  it('is gone when it was given up', async () => {
    const parts = core()
    const link = await begun(parts)
    await expireBatch(test.database, parts.queue, Date.now() + 3 * hour)
    const late = parts.links.complete(link.id)
    await expect(late).rejects.toMatchObject({ code: 'upload-expired', status: 410 })
  })

  it('is finished by the next who confirms it when the first one fell over at any point', async () => {
    const steps = isDirect ? ['adopt', 'complete'] : ['complete']
    for (const step of steps) {
      const broken = new Proxy(stand.storage, {
        get: (storage, name, receiver) =>
          name === step
            ? () => Promise.reject(new Error('fell over'))
            : (Reflect.get(storage, name, receiver) as unknown),
      })
      const parts = core()
      const link = await begun(parts)
      await send(parts, link)
      await expect(core({ storage: broken }).links.complete(link.id)).rejects.toThrow('fell over')
      await parts.links.complete(link.id)
      expect((await original(link.id)).equals(content)).toBe(true)
      const once = { state: 'stored', images: 1, jobs: 1, events: 1 }
      expect(await recordsOf(test.database, link.id)).toMatchObject(once)
    }
  })

  it('is found by the sweep when nobody confirms it', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    const now = Date.now()
    expect(await sweep(parts, now)).toBe(0)
    expect(await sweep(parts, now + minute)).toBe(1)
    expect(await find(link.id)).toMatchObject({ state: 'stored' })
    expect((await original(link.id)).equals(content)).toBe(true)
    expect(await sweep(parts, now + 3 * hour)).toBe(0)
  })

  it('is looked for ever more seldom, a last time after the end of the link, then no more', async () => {
    const parts = core()
    const { id, until } = await begun(parts)
    const { created_at: createdAt } = await row(id)
    const ages: number[] = []
    for (;;) {
      const { link_check_at: next } = await row(id)
      if (next === null) break
      ages.push(next - createdAt)
      expect(await sweep(parts, next - 1)).toBe(0)
      expect(await sweep(parts, next)).toBe(1)
    }
    const around = (each: number) => Math.round(each / 1_000)
    expect(ages.slice(0, 6).map(around)).toEqual([30, 60, 120, 240, 480, 720])
    expect(createdAt + (ages.at(-1) ?? 0)).toBeGreaterThan(until + minute)
    expect(await find(id)).toMatchObject({ state: 'receiving' })
  })

  it('is looked for by one process at a time', async () => {
    const parts = core()
    const link = await begun(parts)
    const asked: string[] = []
    const complete = async (id: string) => {
      asked.push(id)
      throw new Error('away')
    }
    const now = Date.now() + minute
    const sweeps = Array.from({ length: 4 }, () => sweep(parts, now, { complete }))
    await Promise.all(sweeps)
    expect(asked).toEqual([link.id])
  })

  it('is not looked at by the sweep while somebody has it', async () => {
    const parts = core()
    const link = await begun(parts)
    await leaseOf(test.database, link.id, { lastsMs: hour })
    expect(await sweep(parts, Date.now() + minute)).toBe(0)
  })

  it('leaves nothing when it is never used', async () => {
    const parts = core()
    const link = await begun(parts)
    const { expires_at: end } = await row(link.id)
    expect(await expireBatch(test.database, parts.queue, (end ?? 0) - 1)).toBe(0)
    expect(await expireBatch(test.database, parts.queue, end ?? 0)).toBe(1)
    expect(await find(link.id)).toMatchObject({ state: 'expired' })
    const keys = await stand.listKeys()
    expect(keys.filter((key) => key.includes(link.id))).toEqual([])
  })

  it.runIf(backend.name === 's3')('leaves nothing aside, however late it is sent', async () => {
    const parts = core()
    const stored = await begun(parts)
    await send(parts, stored)
    await parts.links.complete(stored.id)
    const keys = [incomingKey(stored.id)]
    const expected = (until: number) => [
      { keys, run_at: 0 },
      { keys, run_at: until + hour },
      { keys, run_at: until + 24 * hour },
    ]
    expect(await removals()).toEqual(expected((await row(stored.id)).incoming_until ?? 0))
    await test.database.queries.deleteFrom('jobs').execute()
    await parts.remove(stored.id)
    expect(await removals()).toHaveLength(3)
    await test.database.queries.deleteFrom('jobs').execute()

    const unused = await begun(parts)
    await expireBatch(test.database, parts.queue, Date.now() + 3 * hour)
    expect((await removals()).map((job) => job.keys)).toEqual(
      Array.from({ length: 3 }, () => [incomingKey(unused.id)]),
    )
  })

  it.runIf(backend.name === 'disk')('needs no jobs that look again on disk', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    await parts.links.complete(link.id)
    expect(await removals()).toEqual([])
  })

  it.runIf(backend.name === 's3')(
    'does not take what is not of its size, but may be sent again',
    async () => {
      const parts = core()
      const link = await begun(parts)
      await stand.storage.put(incomingKey(link.id), content.subarray(1), 'image/jpeg')
      const wrong = parts.links.complete(link.id)
      await expect(wrong).rejects.toMatchObject({ code: 'size-mismatch', status: 409 })
      expect(await stand.storage.head(incomingKey(link.id))).toBeUndefined()
      const gone = parts.links.complete(link.id)
      await expect(gone).rejects.toMatchObject({ code: 'upload-not-arrived' })
      await send(parts, link)
      expect(await parts.links.complete(link.id)).toMatchObject({ state: 'stored' })
    },
  )

  it.runIf(backend.name === 's3')('takes no bytes here when storage takes them', async () => {
    const parts = core()
    const { id } = await begun(parts)
    const here = parts.links.takeContent(id, bodyOf(content), never)
    await expect(here).rejects.toMatchObject({ status: 404 })
  })

  it.runIf(backend.name === 's3')('is not for more than storage takes at once', async () => {
    const tooLarge = begun(core(), 5 * 2 ** 30 + 1)
    await expect(tooLarge).rejects.toMatchObject({
      code: 'upload-too-large',
      status: 413,
      message: expect.stringContaining('/files'),
    })
  })

  it.runIf(backend.name === 'disk')(
    'counts nothing of a request that is not all of it',
    async () => {
      const parts = core()
      const { id } = await begun(parts)
      const broken = Readable.from(
        (async function* () {
          yield content.subarray(0, 9_000)
          throw new Error('the line is dead')
        })(),
      )
      const cut = parts.links.takeContent(id, { stream: broken, announced: content.length }, never)
      await expect(cut).rejects.toThrow('the line is dead')
      expect(await find(id)).toMatchObject({ state: 'receiving', offset: 0 })
      for (const announced of [content.length - 1, content.length + 1, undefined]) {
        const wrong = parts.links.takeContent(id, { ...bodyOf(content), announced }, never)
        await expect(wrong).rejects.toMatchObject({ code: 'size-mismatch', status: 400 })
      }
      await parts.links.takeContent(id, bodyOf(content), never)
      const twice = parts.links.takeContent(id, bodyOf(other), never)
      await expect(twice).rejects.toMatchObject({ code: 'upload-arrived', status: 409 })
      await parts.links.complete(id)
      expect((await original(id)).equals(content)).toBe(true)
    },
  )

  it.runIf(backend.name === 'disk')(
    'is not disturbed by being confirmed while it is sent',
    async () => {
      const parts = core()
      const { id } = await begun(parts)
      const half = Promise.withResolvers<void>()
      const rest = Promise.withResolvers<void>()
      const slow = Readable.from(
        (async function* () {
          yield content.subarray(0, 9_000)
          half.resolve()
          await rest.promise
          yield content.subarray(9_000)
        })(),
      )
      const sending = parts.links.takeContent(
        id,
        { stream: slow, announced: content.length },
        never,
      )
      await half.promise
      await expect(parts.links.complete(id)).rejects.toMatchObject({ code: 'upload-not-arrived' })
      rest.resolve()
      await sending
      expect(await parts.links.complete(id)).toMatchObject({ state: 'stored' })
    },
  )

  it.runIf(backend.name === 's3')(
    'is told of again by a storage that was away meanwhile',
    async () => {
      const adopt = () => Promise.reject(storageUnavailable(new Error('away')))
      const away = core({ storage: Object.assign(Object.create(stand.storage), { adopt, keyOf }) })
      const link = await begun(away)
      const object = { key: incomingKey(link.id) }
      const record = { eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'ours' }, object } }
      const told = away.links.takeStorageEvent({ Records: [record] })
      await expect(told).rejects.toMatchObject({ code: 'storage-unavailable', status: 503 })
      const storage: Storage = Object.assign(Object.create(stand.storage), { keyOf })
      await core({ storage }).links.takeStorageEvent({ Records: [record] })
      expect(await find(link.id)).toMatchObject({ state: 'receiving' })
    },
  )

  it('costs one statement to look for others when there are none', async () => {
    const parts = core()
    await begun(parts)
    const { database, statements } = countStatements(test.database)
    expect(await sweep(parts, Date.now(), { database })).toBe(0)
    expect(statements).toHaveLength(1)
  })

  it.runIf(backend.name === 's3')('asks storage for nothing when it is stored', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    await parts.links.complete(link.id)
    const { counted, calls } = countCalls(stand.storage)
    await core({ storage: counted }).links.complete(link.id)
    expect(calls).toEqual([])
  })

  it('waits for whoever has it, and says so when that takes long', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    const lease = await leaseOf(test.database, link.id)
    const waiting = parts.links.complete(link.id)
    await expect(waiting).rejects.toMatchObject({ code: 'upload-locked', status: 423 })
    expect(lease.lost.aborted).toBe(false)
  }, 30_000)

  it('is not waited for once the program is about to stop', async () => {
    const parts = core()
    const link = await begun(parts)
    await send(parts, link)
    await parts.leases.drain()
    const confirming = parts.links.complete(link.id)
    await expect(confirming).rejects.toMatchObject({ code: 'stopping', status: 503 })
    expect(await find(link.id)).toMatchObject({ state: 'receiving' })
    expect((await core().links.complete(link.id)).state).toBe('stored')
  })
})

it('finds links that are to be looked at by an index of those alone', async () => {
  const [sqlite] = databaseTargets
  if (!sqlite) throw new Error('no database to test on')
  const { database, cleanup } = await sqlite.create()
  const compiled = dueQuery(database.queries, Date.now(), 100).compile()
  const explained = { ...compiled, sql: `explain query plan ${compiled.sql}` }
  const { rows } = await database.queries.executeQuery(explained)
  await cleanup()
  expect(JSON.stringify(rows)).toContain('INDEX uploads_links_to_check')
  expect(JSON.stringify(rows)).not.toMatch(/SCAN|TEMP B-TREE/)
})
