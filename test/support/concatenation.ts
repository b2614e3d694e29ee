import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { localUser } from '../../src/auth/principal.ts'
import type { Database } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { parsePayload } from '../../src/queue/kinds.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import type { NewFinal } from '../../src/uploads/concat-records.ts'
import { discardHandler } from '../../src/uploads/discard.ts'
import { expireBatch } from '../../src/uploads/expire.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { Visitor } from '../../src/uploads/protocol/visitor.ts'
import { createReconciler } from '../../src/uploads/reconcile.ts'
import { createAppend } from '../../src/uploads/requests/append.ts'
import { createBegin, type Wish } from '../../src/uploads/requests/begin.ts'
import { createConcatenate } from '../../src/uploads/requests/concatenate.ts'
import { createLook } from '../../src/uploads/requests/look.ts'
import { createTakeBytes } from '../../src/uploads/requests/take-bytes.ts'
import { leasesOf, never, silent } from './leases.ts'
import { digestOf } from './storage.ts'
import { type CoreOptions, idleQueue, uploadCore } from './uploads.ts'
import { waitFor } from './wait.ts'

const day = 86_400_000

/** One process that takes uploads and makes others of them, joined as in the program. */
export function concatenating(options: CoreOptions & { readonly maxSize?: number }) {
  const { database, storage, maxSize = 2 ** 40 } = options
  // Nobody renews them here, and a machine may be slow.
  const leases = options.leases ?? leasesOf(database, { times: { lease: 120_000 } })
  const core = uploadCore({ ...options, leases })
  const means = { ...core, database, storage, takeBytes: createTakeBytes({ database, ...core }) }
  const begin = createBegin(means, { maxSize, expiresIn: day })
  const append = createAppend(means, maxSize)
  const look = createLook(means)
  const concatenate = createConcatenate(means, maxSize)
  return {
    ...core,
    look: (id: string, gone: AbortSignal) => look(id, gone, reach),
    /** Begins a partial upload; with bytes and no other length they are all of it. */
    async partial(bytes?: Buffer, given: Partial<Wish> = {}): Promise<string> {
      const wish = { ...nothingSaid, isPartial: true, length: bytes?.length, ...given }
      return (await begin(wish, bytes && incoming(bytes))).id
    },
    /** One PATCH. */
    append: (id: string, from: number, bytes: Buffer, length?: number) =>
      append({ id, reach, from, length, ending: 'last-byte' }, incoming(bytes), never),
    appendFrom: (id: string, from: number, stream: Readable) =>
      append(
        { id, reach, from, length: undefined, ending: 'last-byte' },
        { stream, announced: undefined },
        never,
      ),
    concatenate: (sources: readonly string[], given: Partial<NewFinal> = {}, gone = never) =>
      concatenate(finalOf(sources, given), gone),
    reconciler: () => createReconciler({ database, ...core, logger: silent }),
  }
}

/** Everybody may do everything. */
const { reach } = new Visitor(localUser, ['admin'])

const nothingSaid = {
  owner: 'local',
  dialect: 'tus',
  length: undefined,
  metadata: undefined,
  filename: undefined,
  contentType: undefined,
  ending: 'last-byte',
} as const

export function finalOf(sources: readonly string[], given: Partial<NewFinal> = {}): NewFinal {
  const header = `final;${sources.map((id) => `/files/${id}`).join(' ')}`
  return { ...nothingSaid, id: newId(), header, sources, ...given }
}

export function incoming(bytes: Buffer) {
  return { stream: Readable.from([bytes]), announced: bytes.length }
}

/** What the ledger and storage have of uploads, as a test asks for it. */
export function witnessOf(database: Database, storage: Storage) {
  const { queries } = database
  const discard = discardHandler(storage)
  const stateOf = async (id: string) => (await findUpload(queries, id))?.state
  return {
    find: (id: string) => findUpload(queries, id),
    stateOf,
    row: (id: string) =>
      queries.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst(),
    /** The digest of the object of an upload. */
    digest: (id: string) => digestOf(storage, originalKey(id)),
    isStored: (id: string) => waitFor(async () => (await stateOf(id)) === 'stored'),
    /** Carries out every job that clears storage, also twice: they come at least once. */
    async runDiscards(): Promise<void> {
      const jobs = queries.selectFrom('jobs').selectAll().where('kind', '=', 'upload.discard')
      for (const { id, payload } of await jobs.execute()) {
        const parsed = parsePayload('upload.discard', payload)
        for (const number of [1, 2]) await discard.run(parsed, { jobId: id, number, signal: never })
        await queries.deleteFrom('jobs').where('id', '=', id).execute()
      }
    },
    /** Sweeps until there is nothing more to do by now. */
    async sweep(now = Date.now()): Promise<void> {
      while ((await expireBatch(database, idleQueue(), now)) > 0);
    },
    /** Ids of all uploads in the ledger. */
    async ids(): Promise<string[]> {
      return (await queries.selectFrom('uploads').select('id').orderBy('id').execute()).map(
        ({ id }) => id,
      )
    },
    async events() {
      const rows = await queries
        .selectFrom('events')
        .select(['type', 'subject'])
        .orderBy('position')
        .execute()
      return rows.map(({ type, subject }) => [type, subject])
    },
    async images(): Promise<string[]> {
      return (await queries.selectFrom('images').select('id').execute()).map(({ id }) => id)
    },
    async jobs(kind: string): Promise<string[]> {
      const rows = await queries
        .selectFrom('jobs')
        .select('payload')
        .where('kind', '=', kind)
        .execute()
      return rows.map(({ payload }) => payload)
    },
  }
}

type Core = Pick<ReturnType<typeof concatenating>, 'leases' | 'finish'>

/** Finishes what is `assembling`, as the reconciler does, and tells what that failed with. */
export async function reconcile(
  { leases, finish }: Core,
  { queries }: Database,
): Promise<unknown[]> {
  const rows = await queries
    .selectFrom('uploads')
    .select('id')
    .where('state', '=', 'assembling')
    .execute()
  const failures: unknown[] = []
  for (const { id } of rows) {
    const done = leases.holdIfFree(id, async (_, lease) => void (await finish.assemble(lease)))
    await done.catch((error: unknown) => failures.push(error))
  }
  return failures
}

/**
 * Somebody leads every upload on that is not at its end, and what is stored has its bytes: nothing
 * waits for what will never come, and nothing is kept for somebody who is not there any more.
 */
export async function expectSound(
  core: Core,
  database: Database,
  { storage }: { readonly storage: Storage },
): Promise<void> {
  expect(await reconcile(core, database)).toEqual([])
  await witnessOf(database, storage).sweep()
  const rows = await database.queries.selectFrom('uploads').selectAll().execute()
  const byId = new Map(rows.map((row) => [row.id, row]))
  for (const row of rows) {
    expect(row, 'nobody has it').toMatchObject({ lease_token: null })
    expect(row.state).not.toBe('assembling')
    const final = row.final_id === null ? undefined : byId.get(row.final_id)
    if (row.final_id !== null) {
      expect(final, `the upload that ${row.id} is a part of`).toBeDefined()
      expect(['receiving', 'stored']).toContain(final?.state)
    }
    const isKept = row.state === 'stored' && row.concat === 'partial' && row.expires_at === null
    if (isKept)
      expect(final, `the upload that ${row.id} is kept for`).toMatchObject({ state: 'receiving' })
    if (row.state === 'receiving') {
      if (row.sources === null) expect(row.expires_at).not.toBeNull()
      else {
        const parts = rows.filter(({ final_id }) => final_id === row.id)
        const names: unknown = JSON.parse(row.sources)
        expect(new Set(parts.map(({ id }) => id))).toEqual(new Set(names as string[]))
        expect(
          parts.map(({ state }) => state),
          'what it waits for',
        ).toContain('receiving')
        for (const { state } of parts) expect(['receiving', 'stored']).toContain(state)
      }
    }
    if (row.sources !== null && row.state === 'stored') {
      const object = await storage.head(originalKey(row.id))
      expect(object).toEqual({ size: row.length })
    }
  }
}
