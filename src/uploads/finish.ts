import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { JobKind } from '../queue/kinds.ts'
import type { ObjectStorage, Progress, UploadStorage } from '../storage/contract.ts'
import { checkWhole, type KnownContent } from './check-whole.ts'
import { amongOthers } from './concat-locks.ts'
import { consumeSources, noteSourceStored } from './concat-records.ts'
import { discardLater } from './discard.ts'
import { leaseLost } from './errors.ts'
import type { Lease } from './held-lease.ts'
import { join } from './join.ts'
import { type Fence, findUpload, markStored } from './ledger.ts'
import type { Accept } from './limits/accept.ts'
import { checkType, requireAccepted } from './limits/check-type.ts'
import { addUsage } from './limits/usage.ts'
import { removeIncomingLater } from './links/removal.ts'
import type { Examined, UploadListener } from './listener.ts'
import { noticingLoss } from './lost.ts'
import { readParts, readPosition } from './position.ts'
import type { Upload } from './upload.ts'

export interface FinishDependencies {
  readonly database: Database
  readonly storage: UploadStorage & Pick<ObjectStorage, 'read'>
  readonly queue: JobQueue
  readonly listener: UploadListener
  readonly maxSize: number
  /** Types of content that are taken. */
  readonly accept: Accept
  /** Called when an upload that waited for others can be assembled, which is somebody else's to do. */
  readonly onReady: () => void
}

export interface Finish {
  /**
   * Takes an upload that is `assembling` to `stored`. May be called again after a crash at any point.
   * @throws AppError `lease-lost` (423), `upload-lost` (410), `repr-digest-mismatch` (400),
   * `type-not-accepted` (415), the reason why a concatenation is to let go, what storage throws.
   */
  assemble(lease: Lease): Promise<Upload>
  /**
   * Takes an upload whose object storage made in one piece from `receiving` to `stored`.
   * @throws AppError `lease-lost` (423), `type-not-accepted` (415), after which it has failed.
   */
  recordWhole(lease: Lease, progress: Progress, examined?: Examined): Promise<Upload>
}

/** What is known of an upload that is about to be stored. */
interface Known {
  /** That storage made its object in one piece. */
  readonly whole?: Progress
  readonly examined?: Examined | undefined
  readonly content?: KnownContent
}

interface Settled {
  readonly upload: Upload
  readonly queued: readonly JobKind[]
  /** Whether another upload that waited for this one can be assembled now. */
  readonly isReady?: boolean
}

/** Storage first, then one transaction: `stored`, and all that follows from it. */
export function createFinish(dependencies: FinishDependencies): Finish {
  const { database, queue, onReady } = dependencies
  async function record(lease: Lease, known: Known): Promise<Upload> {
    const settled = await amongOthers(database, (trx) => settle(dependencies, trx, lease, known))
    if (!settled) throw leaseLost()
    lease.markEnded()
    if (settled.queued.length > 0) queue.wake(...settled.queued)
    if (settled.isReady) onReady()
    return settled.upload
  }
  return {
    async assemble(lease) {
      const upload = await findUpload(database.queries, lease.id)
      const content = upload
        ? await noticingLoss(database, lease, () => makeWhole(dependencies, lease, upload))
        : {}
      return record(lease, { content })
    },
    async recordWhole(lease, whole, examined) {
      await noticingLoss(database, lease, () =>
        checkWholeType(dependencies, lease.id, whole, examined),
      )
      return record(lease, { whole, examined })
    },
  }
}

/** Makes the object exist, and finds out what is to be known of it. */
async function makeWhole(
  dependencies: FinishDependencies,
  lease: Lease,
  upload: Upload,
): Promise<KnownContent> {
  const { database, storage } = dependencies
  const position = await readPosition(database.queries, lease.id)
  if (position && upload.concat?.role === 'final') await join(dependencies, lease, upload, position)
  const last = upload.concat ? await readPosition(database.queries, lease.id) : position
  if (last) {
    const parts = last.partCount > 0 ? await readParts(database.queries, lease.id) : []
    await storage.complete(last, parts)
  }
  // What a part begins with is no beginning of a file.
  if (upload.concat?.role !== 'partial') await checkType(dependencies, upload.id, last?.offset ?? 0)
  return checkWhole(storage, upload)
}

async function checkWholeType(
  dependencies: FinishDependencies,
  id: string,
  { offset }: Progress,
  examined: Examined | undefined,
): Promise<void> {
  const { accept, database } = dependencies
  if (accept === undefined) return
  const upload = await findUpload(database.queries, id)
  if (upload?.concat?.role === 'partial') return
  if (examined) requireAccepted(accept, examined.contentType)
  else await checkType(dependencies, id, offset)
}

async function settle(
  dependencies: FinishDependencies,
  trx: Transaction<Schema>,
  fence: Fence,
  { whole, examined, content }: Known,
): Promise<Settled | undefined> {
  const { queue, listener, maxSize } = dependencies
  const upload = await markStored(trx, fence, whole, { sha256: examined?.sha256, ...content })
  if (!upload) {
    // By whoever took the lease, perhaps before the object was there to be removed.
    if (await isGivenUp(trx, fence.id)) await discardLater(queue, trx, { id: fence.id })
    return undefined
  }
  // Nothing is made of a part before it is one.
  if (upload.concat?.role === 'partial') {
    const { finalId } = upload.concat
    const isReady = finalId !== undefined && (await noteSourceStored(trx, finalId, maxSize))
    return { upload, queued: [], isReady }
  }
  const sources = upload.concat ? await consumeSources(trx, upload.id) : []
  for (const source of sources) await discardLater(queue, trx, source)
  const { incomingUntil } = upload
  if (incomingUntil !== undefined) await removeIncomingLater(queue, trx, upload.id, incomingUntil)
  await appendEvent(trx, 'upload.stored', upload.id, { size: upload.offset })
  const queued = await listener.stored(trx, upload, examined)
  await addUsage(trx, upload.owner, upload.offset)
  return { upload, queued: sources.length > 0 ? [...queued, 'upload.discard'] : queued }
}

async function isGivenUp(trx: Transaction<Schema>, id: string): Promise<boolean> {
  const upload = await findUpload(trx, id)
  return upload === undefined || upload.state === 'expired'
}
