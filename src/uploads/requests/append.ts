import type { Database, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { hasCode } from '../../errors.ts'
import { hasLimitedSpace, type Storage } from '../../storage/contract.ts'
import { RequestBody } from '../body.ts'
import { declareLength, withdrawLength } from '../declare.ts'
import {
  inconsistentLength,
  OffsetMismatchError,
  uploadGone,
  uploadIsFinal,
  uploadNotFound,
  uploadTooLarge,
} from '../errors.ts'
import type { Lease } from '../held-lease.ts'
import type { Leases } from '../leases.ts'
import { findUpload, markFailed } from '../ledger.ts'
import type { Reach } from '../protocol/visitor.ts'
import type { Received } from '../receive.ts'
import { isClosed, type Upload } from '../upload.ts'
import { type Incoming, requireRoomFor } from './incoming.ts'
import type { Ending, TakeBytes } from './take-bytes.ts'

export interface AppendDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly leases: Leases
  readonly takeBytes: TakeBytes
}

export interface Continuation {
  readonly id: string
  /** Whether whoever asks may continue it. */
  readonly reach: Reach
  /** Where the bytes go, which has to be where the upload stands. */
  readonly from: number
  /** How long the upload is, if the request says so. */
  readonly length: number | undefined
  readonly ending: Ending
  /** Whether an upload fails that is sent more than its length. */
  readonly failsBeyondLength?: boolean
  readonly onProgress?: (offset: number) => void
}

/**
 * Appends the bytes of a request to an upload, as the only one who does: a request that is still
 * writing is ended before. Resolves when they are recorded, and with the last when it is `stored`.
 * @param gone ends the waiting for the other request.
 * @throws AppError what `reach` does, `upload-expired`, `upload-failed`, `upload-lost` (410),
 * `upload-is-final` (403), `offset-mismatch` (409, an `OffsetMismatchError`), `inconsistent-length`
 * (400), `upload-too-long`, `upload-too-large` (413), `upload-locked` (423), `storage-full` (507).
 */
export type Append = (
  continuation: Continuation,
  incoming: Incoming,
  gone: AbortSignal,
) => Promise<Received>

export function createAppend(dependencies: AppendDependencies, maxSize: number): Append {
  const { database, leases } = dependencies
  return async (continuation, incoming, gone) => {
    const { id, from, failsBeyondLength, reach } = continuation
    if (leases.isHeldHere(id)) {
      // To ask for its lease would end another one's request, or disturb those who put it together.
      refuse(await reach(await findUpload(database.queries, id)))
    }
    const appending = leases.hold(id, gone, async (found, lease) => {
      const upload = await reach(found)
      refuse(upload)
      if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
      if (upload.offset !== from) throw new OffsetMismatchError(upload.offset, from, !lease)
      if (!lease) return asItIs(continuation, incoming, upload, gone)
      try {
        return await proceed(dependencies, continuation, incoming, upload, lease, maxSize)
      } catch (error) {
        if (failsBeyondLength && hasCode(error, 'upload-too-long')) {
          await markFailed(database.queries, lease, 'More bytes came than it was said to have.')
        }
        throw error
      }
    })
    return appending.catch(async (error: unknown) => {
      if (hasCode(error, 'upload-not-found')) await reach(undefined)
      throw error
    })
  }
}

/** What does not take its bytes from the protocols. */
function refuse(upload: Upload): void {
  if (isClosed(upload)) throw uploadNotFound()
  if (upload.concat?.role === 'final') throw uploadIsFinal()
}

/** An upload that is stored already takes no bytes; being told so again does no harm. */
async function asItIs(
  { length }: Continuation,
  incoming: Incoming,
  { offset, digests }: Upload,
  gone: AbortSignal,
): Promise<Received> {
  requireRoomFor(incoming, offset, offset, offset)
  const { stream, verification } = incoming
  const body = new RequestBody(stream, { until: gone, limit: 0 })
  // Where it is not announced only the first byte tells that there are any, and ends this.
  for await (const _ of verification?.watch(body) ?? body);
  gone.throwIfAborted()
  verification?.verify()
  if ((length ?? offset) !== offset) throw inconsistentLength()
  const reprDigest = digests.expected
  return { offset, stored: true, isRepeated: true, expiresAt: undefined, reprDigest }
}

async function proceed(
  { database, storage, takeBytes }: AppendDependencies,
  { length, ending, onProgress }: Continuation,
  incoming: Incoming,
  found: Upload,
  lease: Lease,
  maxSize: number,
): Promise<Received> {
  const declared = newLength(length, found, maxSize)
  requireRoomFor(incoming, found.offset, declared ?? found.length, maxSize)
  if (declared !== undefined && hasLimitedSpace(storage)) {
    await storage.requireRoom(declared - found.offset)
  }
  const upload =
    declared === undefined
      ? found
      : await database.transaction((trx: Transaction<Schema>) =>
          declareLength(trx, lease, declared),
        )
  try {
    const taking = { upload, limit: maxSize, ending, onProgress }
    const received = await takeBytes(lease, incoming, taking)
    return { ...received, expiresAt: received.expiresAt ?? upload.expiresAt }
  } catch (error) {
    // What is said with bytes that do not count does not count either.
    if (declared !== undefined && incoming.verification) {
      await withdrawLength(database.queries, lease, found.offset).catch(() => {})
    }
    throw error
  }
}

/**
 * The length that is said for the first time. To say a known one again is no error: a client whose
 * request broke does not know that it was heard.
 */
function newLength(
  declared: number | undefined,
  { length, offset }: Upload,
  maxSize: number,
): number | undefined {
  if (declared === undefined) return undefined
  if ((length ?? declared) !== declared || declared < offset) throw inconsistentLength()
  if (declared > maxSize) throw uploadTooLarge(maxSize)
  return length === undefined ? declared : undefined
}
