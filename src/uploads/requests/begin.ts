import type { Database, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { newId } from '../../ids.ts'
import { hasLimitedSpace, type Storage } from '../../storage/contract.ts'
import { inconsistentLength, uploadTooLarge } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Lease } from '../held-lease.ts'
import type { Leases } from '../leases.ts'
import { createUpload } from '../ledger.ts'
import type { Admission } from '../limits/admission.ts'
import type { Rate } from '../limits/rate.ts'
import { startOf } from '../position.ts'
import type { Received } from '../receive.ts'
import type { RemoveUpload } from '../remove.ts'
import type { LeaseRecord, NewUpload } from '../upload.ts'
import { type Incoming, requireRoomFor } from './incoming.ts'
import type { Ending, TakeBytes } from './take-bytes.ts'

/** Much shorter than a lease, so that nobody else can have had one of a new upload meanwhile. */
const exclusiveMs = 3_000

export interface BeginDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly leases: Leases
  readonly takeBytes: TakeBytes
  readonly finish: Finish
  readonly remove: RemoveUpload
  readonly admission: Admission
}

export interface BeginOptions {
  readonly maxSize: number
  /** Milliseconds an unfinished upload is kept for after its last progress. */
  readonly expiresIn: number
}

/** What a client wants to upload. */
export type Wish = Omit<NewUpload, 'id' | 'expiresAt'> & { readonly ending: Ending }

/** For an upload that is the one request that brings it, or nothing. */
export interface AtOnce {
  /** What else happens in the transaction that creates the upload: when it throws, there is none. */
  readonly alongside?: ((trx: Transaction<Schema>, id: string) => Promise<void>) | undefined
  /** Called when the upload is not stored with this request, and why, by who still may write to it. */
  readonly discard: (lease: Lease, reason: unknown) => Promise<void>
}

export interface Reports {
  /** Nobody is told where to go on with the upload; unset: it can be continued. */
  readonly atOnce?: AtOnce
  /** The upload exists, and can be continued whatever becomes of this request. */
  readonly onBegun?: (id: string, expiresAt: number) => void
  /** So many bytes of it are safe. */
  readonly onProgress?: (offset: number) => void
}

export interface Begun extends Received {
  readonly id: string
  readonly expiresAt: number
  /** Where its owner stands by the rate of uploads, if there is one. */
  readonly rate: Rate | undefined
}

/**
 * Begins an upload, with the bytes that the request brings: resolves when they are recorded,
 * and with all of them when the upload is `stored`.
 * @throws AppError `type-not-accepted` (415), `upload-too-large` and `upload-too-long` (413),
 * `storage-full` (507), what `Admission` throws for those who may not begin one, and what taking
 * bytes does. When they are not what they were said to be, nothing was begun, unless that
 * was reported.
 */
export type Begin = (
  wish: Wish,
  incoming: Incoming | undefined,
  reports?: Reports,
) => Promise<Begun>

export function createBegin(dependencies: BeginDependencies, options: BeginOptions): Begin {
  const { storage, remove, admission } = dependencies
  const { maxSize, expiresIn } = options
  return async ({ ending, ...wish }, incoming, reports = {}) => {
    const { length } = wish
    admission.requireType(wish.contentType)
    if (length !== undefined && length > maxSize) throw uploadTooLarge(maxSize)
    requireRoomFor(incoming, 0, length, maxSize)
    if (length && hasLimitedSpace(storage)) await storage.requireRoom(length)
    const upload: NewUpload = { ...wish, id: newId(), expiresAt: Date.now() + expiresIn }
    const { id, expiresAt } = upload
    try {
      const received = await start(dependencies, upload, { ending, maxSize, incoming, reports })
      return { ...received, id, expiresAt: received.expiresAt ?? expiresAt }
    } catch (error) {
      // Unless its client was told of it, there is nothing to continue.
      if (incoming?.verification?.refused && !reports.onBegun) await remove(id)
      throw error
    }
  }
}

interface Start {
  readonly ending: Ending
  readonly maxSize: number
  readonly incoming: Incoming | undefined
  readonly reports: Reports
}

async function start(
  dependencies: BeginDependencies,
  upload: NewUpload,
  { ending, maxSize, incoming, reports }: Start,
): Promise<Received & Pick<Begun, 'rate'>> {
  const { leases, takeBytes, finish } = dependencies
  const { id, length, expiresAt } = upload
  const isWhole = length === 0 && ending === 'last-byte' && !incoming?.verification
  const creation = { isWhole, announced: incoming?.announced, atOnce: reports.atOnce }
  if (!incoming && !isWhole) {
    const rate = await createAlone(dependencies, upload)
    reports.onBegun?.(id, expiresAt)
    return { offset: 0, stored: false, expiresAt, rate }
  }
  return leases.holdNew(id, async (lease, record) => {
    const untouchedUntil = performance.now() + exclusiveMs
    const rate = await createHeld(dependencies, upload, record, creation)
    reports.onBegun?.(id, expiresAt)
    const received = await wholly(reports.atOnce, lease, async () => {
      if (!incoming || isWhole) {
        const { digests } = await finish.assemble(lease)
        return { offset: 0, stored: true, expiresAt, reprDigest: digests.expected }
      }
      return takeBytes(lease, incoming, {
        upload: { offset: 0, length, digests: upload.digests },
        limit: maxSize,
        ending,
        start: { ...startOf(upload), untouchedUntil },
        onProgress: reports.onProgress,
      })
    })
    return { ...received, rate }
  })
}

/** An upload whose bytes come with other requests. */
function createAlone(
  { database, admission }: BeginDependencies,
  upload: NewUpload,
): Promise<Rate | undefined> {
  return database.transaction((trx) =>
    admission.begin(trx, upload, () => createUpload(trx, upload, undefined, false)),
  )
}

interface Creation {
  readonly isWhole: boolean
  readonly announced: number | undefined
  readonly atOnce: AtOnce | undefined
}

/** An upload whose bytes are there, for its lease to write. */
async function createHeld(
  { database, admission }: BeginDependencies,
  upload: NewUpload,
  lease: LeaseRecord,
  { isWhole, announced, atOnce }: Creation,
): Promise<Rate | undefined> {
  const { alongside } = atOnce ?? {}
  // Without anything to count one statement is enough.
  if (!alongside && !admission.counts) {
    await createUpload(database.queries, upload, lease, isWhole)
    return undefined
  }
  const { owner, length } = upload
  return database.transaction(async (trx) => {
    await alongside?.(trx, upload.id)
    return admission.begin(trx, { owner, length, announced }, () =>
      createUpload(trx, upload, lease, isWhole),
    )
  })
}

async function wholly(
  atOnce: AtOnce | undefined,
  lease: Lease,
  work: () => Promise<Received>,
): Promise<Received> {
  if (!atOnce) return work()
  try {
    const received = await work()
    if (!received.stored) throw inconsistentLength()
    return received
  } catch (error) {
    await atOnce.discard(lease, error)
    throw error
  }
}
