import type { Database } from '../database/database.ts'
import type { Progress, UploadPosition, UploadStorage } from '../storage/contract.ts'
import { type Examiner, observe } from './content.ts'
import { uploadNotFound } from './errors.ts'
import type { Finish } from './finish.ts'
import type { Lease } from './held-lease.ts'
import { recordProgress } from './ledger.ts'
import { noticingLoss } from './lost.ts'
import { readPosition } from './position.ts'

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
  /** Whether it was stored before. */
  readonly isRepeated?: boolean
  /** `Repr-Digest` of an upload that is stored, where it was asked for. */
  readonly reprDigest?: string | undefined
}

export interface ReceiveOptions {
  /** Where the upload stands, if that is known: right after its creation. */
  readonly start?: UploadPosition | undefined
  /** Whether the upload is complete with its last byte; unset: it is. */
  readonly completes?: boolean
  /**
   * Whether the object that storage may make in one piece is the upload at once; unset: it is. Not
   * where the whole is to be looked at before it counts.
   */
  readonly inOnePiece?: boolean
  /** Called once the body has come to its end; when it throws, none of the body counts. */
  readonly verify?: (() => void) | undefined
  /** Called with each offset that is recorded, but for the last. It must not throw. */
  readonly onProgress?: ((offset: number) => void) | undefined
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
  options?: ReceiveOptions,
) => Promise<Received>

/** The protocols differ in how they ask; this is what they all do then. */
export function createReceive(dependencies: ReceiveDependencies): Receive {
  const { database, storage, finish, expiresIn, listener } = dependencies
  return async (lease, body, options = {}) => {
    const { completes = true, inOnePiece = true, verify, onProgress } = options
    const position = options.start ?? (await readPosition(database.queries, lease.id))
    if (!position) throw uploadNotFound()
    const observed = observe(body, position, listener)
    let stored = false
    let expiresAt: number | undefined
    const record = async (progress: Progress) => {
      if (progress.whole && completes && inOnePiece) {
        await finish.recordWhole(lease, progress, await observed.examined(progress.offset))
        stored = true
      } else {
        expiresAt = Date.now() + expiresIn
        await recordProgress(database, lease, progress, expiresAt, completes)
        const { offset } = progress
        if (offset > position.offset && offset !== position.length) onProgress?.(offset)
      }
    }
    const offset = await noticingLoss(database, lease, () =>
      storage.append(position, observed, record, lease.lost, {
        whileWaiting: () => observed.examine(),
        ...(verify && { verify }),
      }),
    )
    const isLast = completes && offset === position.length && offset > position.offset
    if (stored || !isLast) return { offset, stored, expiresAt }
    const { digests } = await finish.assemble(lease)
    return { offset, stored: true, expiresAt, reprDigest: digests.expected }
  }
}
