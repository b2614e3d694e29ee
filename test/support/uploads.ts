import type { Preset } from '../../src/conversion/contract.ts'
import { defaultPresets } from '../../src/conversion/presets.ts'
import type { Database } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import { imageListener } from '../../src/images/upload-listener.ts'
import type { EnqueueOptions, JobAdministration, JobQueue } from '../../src/queue/contract.ts'
import type { Progress, Storage, UploadPosition } from '../../src/storage/contract.ts'
import { createFinish } from '../../src/uploads/finish.ts'
import { releaseLease } from '../../src/uploads/lease-records.ts'
import type { Leases } from '../../src/uploads/leases.ts'
import { createUpload, type Fence, findUpload, recordProgress } from '../../src/uploads/ledger.ts'
import { createAdmission } from '../../src/uploads/limits/admission.ts'
import type { Limits } from '../../src/uploads/limits/settings.ts'
import { createUploadLinks, type UploadLinks } from '../../src/uploads/links/service.ts'
import type { UploadListener } from '../../src/uploads/listener.ts'
import { readPosition } from '../../src/uploads/position.ts'
import { createReceive } from '../../src/uploads/receive.ts'
import { createRemoveHeld, createRemoveUpload } from '../../src/uploads/remove.ts'
import type { NewUpload } from '../../src/uploads/upload.ts'
import { leaseOf, leasesOf, silent } from './leases.ts'

const day = 86_400_000

export function newUpload(given: Partial<NewUpload> = {}): NewUpload {
  return {
    id: newId(),
    owner: 'local',
    dialect: 'tus',
    length: 10,
    metadata: undefined,
    filename: 'a.jpg',
    contentType: 'image/jpeg',
    expiresAt: Date.now() + day,
    ...given,
  }
}

/** An upload of which no bytes are there. */
export async function begunUpload(
  { queries }: Database,
  given: Partial<NewUpload> = {},
): Promise<string> {
  const upload = newUpload(given)
  await createUpload(queries, upload)
  return upload.id
}

export function progressTo(offset: number, given: Partial<Progress> = {}): Progress {
  const nothing = {
    multipartId: undefined,
    parts: [],
    unsettledParts: undefined,
    tail: undefined,
    staged: undefined,
  }
  return { offset, ...nothing, tailEpoch: 0, tailUnsettled: false, whole: false, ...given }
}

/** Records progress as the holder of the lease does. */
export function record(
  database: Database,
  fence: Fence,
  offset: number,
  given: Partial<Progress> = {},
): Promise<void> {
  return recordProgress(database, fence, progressTo(offset, given), Date.now() + day)
}

/** An upload whose bytes are all recorded, as a crash right before assembling leaves it. */
export async function wholeUpload(
  database: Database,
  given: Partial<NewUpload> = {},
): Promise<string> {
  const upload = newUpload(given)
  await createUpload(database.queries, upload)
  if (upload.length) {
    const fence = await leaseOf(database, upload.id)
    await record(database, fence, upload.length)
    await releaseLease(database.queries, fence)
  }
  return upload.id
}

/** Where an upload stands in storage, as the ledger has it. */
export async function positionOf(database: Database, id: string): Promise<UploadPosition> {
  const position = await readPosition(database.queries, id)
  if (!position) throw new Error(`there is no upload ${id}`)
  return position
}

export interface CoreOptions {
  readonly database: Database
  readonly storage: Storage
  readonly listener?: UploadListener
  readonly presets?: readonly Preset[]
  readonly leases?: Leases
  readonly queue?: ReturnType<typeof idleQueue>
  readonly expiresIn?: number
  readonly maxSize?: number
  readonly limits?: Partial<Limits>
  /** See `FinishDependencies`. */
  readonly onReady?: () => void
}

const noLimits: Limits = {
  accept: undefined,
  userMaxBytes: undefined,
  userMaxUnfinished: undefined,
  userUploadsPerMinute: undefined,
}

/** What takes uploads from their first byte to their end, joined as in the program. */
export function uploadCore({
  database,
  storage,
  expiresIn = day,
  maxSize = 2 ** 43,
  onReady = () => {},
  leases = leasesOf(database),
  presets = defaultPresets,
  queue = idleQueue(),
  limits = {},
  ...given
}: CoreOptions) {
  const listener = given.listener ?? imageListener(queue, presets)
  const admission = createAdmission({ ...noLimits, ...limits })
  const { accept } = admission.limits
  const finish = createFinish({ database, storage, queue, listener, maxSize, accept, onReady })
  return {
    queue,
    listener,
    admission,
    leases,
    finish,
    receive: createReceive({
      database,
      storage,
      finish,
      expiresIn,
      listener,
    }),
    remove: createRemoveUpload({ database, queue, listener, leases }),
    removeHeld: createRemoveHeld({ database, queue, listener }),
  }
}

/** Uploads by link, of a core. */
export function linksOf(
  core: ReturnType<typeof uploadCore>,
  { database, storage, expiresIn = day, maxSize = 2 ** 43 }: CoreOptions,
): UploadLinks {
  const dependencies = { ...core, database, storage, logger: silent }
  return createUploadLinks(dependencies, { expiresIn, maxSize })
}

/** What was written down with an upload. */
export async function recordsOf({ queries }: Database, id: string) {
  const count = async (rows: Promise<unknown[]>) => (await rows).length
  return {
    state: (await findUpload(queries, id))?.state,
    images: await count(queries.selectFrom('images').select('id').where('id', '=', id).execute()),
    jobs: await count(
      queries.selectFrom('jobs').select('id').where('dedupe_key', '=', id).execute(),
    ),
    events: await count(
      queries.selectFrom('events').select('id').where('subject', '=', id).execute(),
    ),
  }
}

/** The jobs there are, oldest first. */
export async function jobsOf({ queries }: Database) {
  const rows = await queries
    .selectFrom('jobs')
    .select(['kind', 'payload'])
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(({ kind, payload }) => ({ kind, payload: JSON.parse(payload) as unknown }))
}

/** Writes jobs down as the queues do, and runs none. */
export function idleQueue(): JobQueue & { woken: number } {
  const queue = {
    woken: 0,
    wake: () => {
      queue.woken += 1
    },
    handle: () => {},
    prepare: async () => {},
    administration: noAdministration,
    start: async () => {},
    stop: async () => {},
    enqueue: insert,
  }
  return queue
}

const notThere = () => Promise.reject(new Error('an idle queue is not looked after'))
const noAdministration: JobAdministration = {
  list: notThere,
  find: notThere,
  retry: notThere,
  retryAll: notThere,
  discard: notThere,
  depth: notThere,
}

const insert: JobQueue['enqueue'] = async (trx, kind, payload, options: EnqueueOptions = {}) => {
  await trx
    .insertInto('jobs')
    .values({
      id: newId(),
      kind,
      payload: JSON.stringify(payload),
      dedupe_key: options.dedupeKey ?? null,
      state: 'queued',
      max_attempts: 1,
      run_at: options.runAt ?? 0,
      attempts: 0,
      priority: options.priority ?? 0,
      created_at: 0,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** The same object, with a record of the names of the methods that were called on it. */
export function countCalls<T extends object>(target: T): { counted: T; calls: string[] } {
  const calls: string[] = []
  const counted = new Proxy(target, {
    get(object, name, receiver) {
      const value: unknown = Reflect.get(object, name, receiver)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        calls.push(String(name))
        return Reflect.apply(value, object, given) as unknown
      }
    },
  })
  return { counted, calls }
}
