import type { Database } from '../../database/database.ts'
import { uploadGone, uploadNotFound } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Leases } from '../leases.ts'
import { findUpload } from '../ledger.ts'
import type { Reach } from '../protocol/visitor.ts'
import { isClosed, type Upload } from '../upload.ts'

export interface LookDependencies {
  readonly database: Database
  readonly leases: Leases
  readonly finish: Finish
}

/**
 * Where an upload stands. One indexed read, unless another request is writing to the upload: that one
 * is asked to let go first, so that the offset is the one to continue from. One whose bytes are all
 * there but not yet one object is finished here; but not one that is made of others, which may take
 * its time.
 *
 * @param gone ends the waiting for the other request.
 * @throws AppError what `reach` does, `upload-expired`, `upload-failed` (410), and what finishing it
 * does.
 */
export type Look = (id: string, gone: AbortSignal, reach: Reach) => Promise<Upload>

export function createLook({ database, leases, finish }: LookDependencies): Look {
  return async (id, gone, reach) => {
    const found = await reach(await findUpload(database.queries, id))
    if (isClosed(found)) throw uploadNotFound()
    const isUnsettled =
      found.state === 'assembling' || (found.state === 'receiving' && leases.isHeld(found))
    const upload =
      isUnsettled && found.concat?.role !== 'final'
        ? await leases.hold(id, gone, async (held, lease) =>
            lease && held.state === 'assembling' ? finish.assemble(lease) : held,
          )
        : found
    if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
    return upload
  }
}
