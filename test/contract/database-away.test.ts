import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { freePort } from '../support/free-port.ts'
import { type FreshDatabase, freshDatabase } from '../support/fresh-databases.ts'
import { leasesOf, never } from '../support/leases.ts'
import { type NetworkProxy, startNetworkProxy } from '../support/network-proxy.ts'
import { contentOf, digestOf, sha256, startDisk } from '../support/storage.ts'
import { begunUpload, uploadCore } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

const away = { name: 'AppError', code: 'database-unavailable', status: 503, retryAfter: 5 }

describe('PostgreSQL that goes away', () => {
  let fresh: FreshDatabase
  let address: URL
  let proxy: NetworkProxy
  let database: Database
  /** Connections that were seen to break while nothing ran on them. */
  let broken: Error[]
  let direct: Database

  beforeEach(async () => {
    fresh = await freshDatabase.postgres()
    address = new URL(fresh.environment.DATABASE_URL ?? '')
    proxy = await startNetworkProxy(`http://${address.host}`)
    broken = []
    database = openDatabase({ kind: 'postgres', url: through(new URL(proxy.url)) }, (error) =>
      broken.push(error),
    )
    direct = openDatabase(fresh.target)
    await migrate(direct)
  })
  afterEach(async () => {
    await Promise.all([database.close(), direct.close()])
    await proxy.close()
    await fresh.remove()
  })

  const through = ({ hostname, port }: URL | { hostname: string; port: string }) => {
    const url = new URL(address)
    url.hostname = hostname
    url.port = port
    return url.href
  }
  const ask = (text = 'select 1 as one') => sql.raw(text).execute(database.queries)
  const isAnswered = () => waitFor(async () => (await ask()).rows.length === 1)

  it('while nothing is asked does not fail what is asked next', async () => {
    await ask()
    proxy.cutNow()
    await waitFor(() => broken.length > 0, { intervalMs: 5 })
    expect((await ask()).rows).toEqual([{ one: 1 }])
  })

  it('while a statement runs is "unavailable", and works again afterwards', async () => {
    const slow = ask('select pg_sleep(60)')
    slow.catch(() => {})
    const running = sql<{ pid: number }>`
      select pid from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`
    await waitFor(async () => (await running.execute(direct.queries)).rows.length === 1)
    proxy.cutNow()
    await expect(slow).rejects.toMatchObject(away)
    await isAnswered()
  })

  it.each(['cut', 'terminated'])(
    'between two statements of a transaction (%s) is "unavailable", and nothing of it stays',
    async (how) => {
      const work = database.transaction(async (trx) => {
        const event = { id: 'one', type: 't', subject: 's', payload: '{}', created_at: 1 }
        await trx.insertInto('events').values(event).execute()
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
        if (how === 'cut') proxy.cutNow()
        else await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(direct.queries)
        await waitFor(() => broken.length > 0, { intervalMs: 5 })
        await trx.selectFrom('events').selectAll().execute()
      })
      await expect(work).rejects.toMatchObject(away)
      expect(await direct.queries.selectFrom('events').selectAll().execute()).toEqual([])
      expect(await database.queries.selectFrom('events').selectAll().execute()).toEqual([])
    },
  )

  it('before a transaction commits is "unavailable"', async () => {
    const work = database.transaction(async (trx) => {
      await sql`select 1`.execute(trx)
      proxy.cutNow()
      await waitFor(() => broken.length > 0, { intervalMs: 5 })
    })
    await expect(work).rejects.toMatchObject(away)
  })

  it('and comes back elsewhere is found there', async () => {
    await ask()
    proxy.retarget(`http://127.0.0.1:${await freePort()}`)
    proxy.cutNow()
    // The first one may be told by the connection that was open.
    for (let tries = 0; tries < 3; tries += 1) await expect(ask()).rejects.toMatchObject(away)
    await expect(database.transaction(async () => {})).rejects.toMatchObject(away)
    await expect(database.check()).rejects.toMatchObject({ code: 'database-unavailable' })
    proxy.retarget(`http://${address.host}`)
    await isAnswered()
  })

  it.each(['127.0.0.1', 'localhost', 'no-such-host.invalid'])(
    'or was never there, at %s, is "unavailable"',
    async (hostname) => {
      const port = String(await freePort())
      const nowhere = openDatabase({ kind: 'postgres', url: through({ hostname, port }) })
      await expect(sql`select 1`.execute(nowhere.queries)).rejects.toMatchObject(away)
      await nowhere.close()
    },
  )

  it('and takes connections but does not answer is "unavailable" after a while', async () => {
    proxy.stall()
    await expect(ask()).rejects.toMatchObject(away)
    proxy.flow()
    await isAnswered()
  })

  it('keeps the upload: what was acknowledged stays, and it goes on as soon as it is back', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const content = contentOf(200_000)
    const id = await begunUpload(direct, { length: content.length })
    const leases = leasesOf(database)
    await leases.start()
    stack.defer(() => leases.stop())
    const { receive } = uploadCore({ database, storage: disk.storage, leases })
    const request = (bytes: (offset: number) => AsyncIterable<Buffer>) =>
      leases.hold(id, never, async (upload, lease) => {
        if (!lease) throw new Error('no lease')
        return receive(lease, bytes(upload.offset))
      })
    await request(async function* () {
      yield content.subarray(0, 50_000)
    })
    const interrupted = request(async function* () {
      yield content.subarray(50_000, 60_000)
      proxy.retarget(`http://127.0.0.1:${await freePort()}`)
      proxy.cutNow()
    })
    await expect(interrupted).rejects.toMatchObject(away)
    const { offset, lease } = (await findUpload(direct.queries, id)) ?? {}
    expect([50_000, 60_000]).toContain(offset)
    // It could not be given back.
    expect(lease).toMatchObject({ holder: 'here' })
    proxy.retarget(`http://${address.host}`)
    await isAnswered()
    const last = await request(async function* (from) {
      yield content.subarray(from)
    })
    expect(last).toMatchObject({ stored: true, offset: content.length })
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })
})

describe('an error that PostgreSQL reports', () => {
  it.each([
    ['57P01', away],
    ['57P03', away],
    ['08006', away],
    ['53300', away],
    ['40001', away],
    ['40P01', away],
    ['53100', { code: 'storage-full', status: 507 }],
    ['23505', { name: 'error', code: '23505' }],
    ['22012', { name: 'error', code: '22012' }],
    ['57014', { name: 'error', code: '57014' }],
  ])('with code %s is told as what it is, without its words', async (code, expected) => {
    const fresh = await freshDatabase.postgres()
    const database = openDatabase(fresh.target)
    const raise = sql.raw(`do $$ begin raise exception 'secret' using errcode = '${code}'; end $$`)
    const failing = raise.execute(database.queries)
    await expect(failing).rejects.toMatchObject(expected)
    const error: unknown = await raise.execute(database.queries).catch((thrown: unknown) => thrown)
    if ('status' in expected) expect(String(error)).not.toContain('secret')
    await expect(database.check()).resolves.toBeUndefined()
    await database.close()
    await fresh.remove()
  })
})
