import type { Database } from '../database/database.ts'
import type { UploadPosition, UploadStorage } from '../storage/contract.ts'
import { uploadLost } from '../storage/errors.ts'
import { readSources } from './concat-records.ts'
import type { Lease } from './held-lease.ts'
import { recordConcatenated } from './ledger.ts'
import type { Upload } from './upload.ts'

/**
 * Puts the bytes of partial uploads into a final one that is `assembling`; nothing happens to any
 * other upload. May be called again after a crash at any point, and ends, to be called again, when
 * the lease is wanted: a request that removes the upload does not have to wait for all of it.
 * @throws AppError `lease-lost` (423), `upload-lost` (410), the reason to let go, what storage throws.
 */
export async function join(
  { database, storage }: { readonly database: Database; readonly storage: UploadStorage },
  lease: Lease,
  { concat }: Upload,
  position: UploadPosition,
): Promise<void> {
  if (concat?.role !== 'final' || position.offset === position.length) return
  const sources = await readSources(database.queries, concat.sources)
  if (sources.length < concat.sources.length) throw uploadLost(new Error('a source has no record'))
  const signal = AbortSignal.any([lease.letGo, lease.lost])
  signal.throwIfAborted()
  await storage.concatenate(
    position,
    sources,
    (progress) => recordConcatenated(database, lease, progress),
    signal,
  )
}
