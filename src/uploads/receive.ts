import type { Database } from '../database/database.ts'
import type { UploadPosition, UploadStorage } from '../storage/contract.ts'
import { type Examiner, observe } from './content.ts'
import { uploadNotFound } from './errors.ts'
import type { Finish } from './finish.ts'
import type { Lease } from './held-lease.ts'
import { readPosition, recordProgress } from './ledger.ts'
import { noticingLoss } from './lost.ts'

export interface ReceiveDependencies {
  readonly database: Database
  readonly storage: UploadStorage
  readonly finish: Finish
  /** Milliseconds an unfinished upload is kept for after its last progress. */
  readonly expiresIn: number
  readonly listener: Examiner
}

/** Where an upload stands after a request. */
export interface Received {
  readonly offset: number
  readonly stored: boolean
  /** When it is given up unless it is continued; undefined when nothing of that changed. */
  readonly expiresAt: number | undefined
}

/**
 * Takes the bytes of one request, which follow those the upload has, and returns where it stands
 * then. With the last byte it returns only when the upload is `stored`.
 *
 * When the connection breaks, what arrived is recorded before the error is thrown on.
 * @throws AppError `lease-lost` (423), `upload-lost` (410), and what storage and database throw.
 */
export type Receive = (
  lease: Lease,
  body: AsyncIterable<Buffer>,
  /** Where the upload stands, if that is known: right after its creation. */
  start?: UploadPosition,
) => Promise<Received>

/** The protocols differ in how they ask; this is what they all do then. */
export function createReceive(dependencies: ReceiveDependencies): Receive {
  const { database, storage, finish, expiresIn, listener } = dependencies
  return async (lease, body, start) => {
    const position = start ?? (await readPosition(database.queries, lease.id))
    if (!position) throw uploadNotFound()
    const observed = observe(body, position, listener)
    let stored = false
    let expiresAt: number | undefined
    const offset = await noticingLoss(database, lease, () =>
      storage.append(
        position,
        observed,
        async (progress) => {
          if (progress.whole) {
            await finish.recordWhole(lease, progress, await observed.examined(progress.offset))
            stored = true
          } else {
            expiresAt = Date.now() + expiresIn
            await recordProgress(database, lease, progress, expiresAt)
          }
        },
        lease.lost,
        () => observed.examine(),
      ),
    )
    if (!stored && offset === position.length) {
      await finish.assemble(lease)
      stored = true
    }
    return { offset, stored, expiresAt }
  }
}
