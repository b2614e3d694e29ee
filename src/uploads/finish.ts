import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { JobKind } from '../queue/kinds.ts'
import type { Progress, UploadStorage } from '../storage/contract.ts'
import { leaseLost } from './errors.ts'
import type { Lease } from './held-lease.ts'
import { type Fence, findUpload, markStored, readParts, readPosition } from './ledger.ts'
import type { Examined, UploadListener } from './listener.ts'
import { noticingLoss } from './lost.ts'
import type { Upload } from './upload.ts'

export interface FinishDependencies {
  readonly database: Database
  readonly storage: UploadStorage
  readonly queue: JobQueue
  readonly listener: UploadListener
}

export interface Finish {
  /**
   * Takes an upload that is `assembling` to `stored`. May be called again after a crash at any point.
   * @throws AppError `lease-lost` (423), `upload-lost` (410), what storage throws.
   */
  assemble(lease: Lease): Promise<Upload>
  /** Takes an upload whose object storage made in one piece from `receiving` to `stored`. */
  recordWhole(lease: Lease, progress: Progress, examined?: Examined): Promise<Upload>
}

/** What is known of an upload whose object storage made in one piece. */
interface Whole {
  readonly progress: Progress
  readonly examined: Examined | undefined
}

interface Settled {
  readonly upload: Upload
  readonly queued: readonly JobKind[]
}

/** Storage first, then one transaction: `stored`, and all that follows from it. */
export function createFinish(dependencies: FinishDependencies): Finish {
  const { database, storage, queue } = dependencies
  async function record(lease: Lease, whole?: Whole): Promise<Upload> {
    const settled = await database.transaction((trx) => settle(dependencies, trx, lease, whole))
    if (!settled) throw leaseLost()
    lease.markEnded()
    if (settled.queued.length > 0) queue.wake(...settled.queued)
    return settled.upload
  }
  return {
    async assemble(lease) {
      const position = await readPosition(database.queries, lease.id)
      if (position) {
        const parts = position.partCount > 0 ? await readParts(database.queries, lease.id) : []
        await noticingLoss(database, lease, () => storage.complete(position, parts))
      }
      return record(lease)
    },
    recordWhole: (lease, progress, examined) => record(lease, { progress, examined }),
  }
}

async function settle(
  { queue, listener }: FinishDependencies,
  trx: Transaction<Schema>,
  fence: Fence,
  whole?: Whole,
): Promise<Settled | undefined> {
  const upload = await markStored(trx, fence, whole?.progress, whole?.examined?.sha256)
  if (upload) {
    await appendEvent(trx, 'upload.stored', upload.id, { size: upload.offset })
    return { upload, queued: await listener.stored(trx, upload, whole?.examined) }
  }
  if (await isGivenUp(trx, fence.id)) {
    // By whoever took the lease, perhaps before the object was there to be removed.
    await queue.enqueue(trx, 'upload.discard', {
      id: fence.id,
      multipartId: null,
      tailEpoch: 0,
    })
  }
  return undefined
}

async function isGivenUp(trx: Transaction<Schema>, id: string): Promise<boolean> {
  const upload = await findUpload(trx, id)
  return upload === undefined || upload.state === 'expired'
}
