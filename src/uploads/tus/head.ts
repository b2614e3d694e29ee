import { locked, uploadGone, uploadNotFound } from '../errors.ts'
import { findUpload } from '../ledger.ts'
import type { Upload } from '../upload.ts'
import { expires, idOf, type TusDependencies, type TusMethod } from './context.ts'
import type { TusRequest } from './request.ts'

/**
 * HEAD: where an upload stands. One indexed read, unless another request is writing to the upload:
 * that one is asked to let go first, so that the offset is the one to continue from.
 *
 * The full length is told only of an upload that is stored. One whose bytes are all there but not
 * yet one object is finished here; where that cannot be had, the answer is to try again.
 */
export function headMethod(dependencies: TusDependencies): TusMethod {
  return async (request) => {
    const upload = await find(dependencies, request)
    if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
    if (upload.state === 'assembling') throw locked()
    return {
      status: 200,
      headers: {
        'Cache-Control': 'no-store',
        'Upload-Offset': String(upload.offset),
        ...(upload.length === undefined
          ? { 'Upload-Defer-Length': '1' }
          : { 'Upload-Length': String(upload.length) }),
        ...(upload.metadata && { 'Upload-Metadata': upload.metadata }),
        ...expires(upload.expiresAt),
      },
    }
  }
}

async function find(
  { database, leases, finish }: TusDependencies,
  request: TusRequest,
): Promise<Upload> {
  const id = idOf(request)
  const upload = await findUpload(database.queries, id)
  if (!upload) throw uploadNotFound()
  const settled =
    upload.state === 'assembling' || (upload.state === 'receiving' && leases.isHeld(upload))
      ? await leases.hold(id, request.gone, async (found, lease) =>
          lease && found.state === 'assembling' ? finish.assemble(lease) : found,
        )
      : upload
  return settled
}
