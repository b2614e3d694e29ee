import type { Storage } from '../../storage/contract.ts'
import { hasDirectUploads } from '../../storage/direct-uploads.ts'
import { uploadGone, uploadNotFound } from '../errors.ts'
import type { Leases } from '../leases.ts'
import type { Incoming } from '../requests/incoming.ts'
import type { TakeBytes } from '../requests/take-bytes.ts'
import { Verification } from '../requests/verification.ts'
import { isByLink, type Upload } from '../upload.ts'
import { alreadyArrived, wrongLength } from './errors.ts'

export interface TakeContentDependencies {
  readonly storage: Storage
  readonly leases: Leases
  readonly takeBytes: TakeBytes
}

/**
 * Takes the bytes of an upload by link from a request: all of them, or none if the request breaks,
 * which then may be made again. A request that is still sending is ended before.
 * @param gone ends the waiting for the other request.
 * @throws AppError `upload-not-found` (404), also where storage takes them itself; `size-mismatch` (400),
 * `upload-arrived` (409), `upload-expired`, `upload-failed` (410), and what taking bytes does.
 */
export type TakeContent = (
  id: string,
  body: Pick<Incoming, 'stream' | 'announced'>,
  gone: AbortSignal,
) => Promise<void>

export function createTakeContent({
  storage,
  leases,
  takeBytes,
}: TakeContentDependencies): TakeContent {
  return async (id, { stream, announced }, gone) => {
    if (hasDirectUploads(storage)) throw uploadNotFound()
    await leases.hold(id, gone, async (upload, lease) => {
      const length = expectedLength(upload)
      if (!lease) throw alreadyArrived()
      if (announced !== length) throw wrongLength(length)
      // Nothing is known of the bytes but how many there are, which the end of the body proves.
      const verification = new Verification([], () => {})
      const incoming = { stream, announced, verification }
      await takeBytes(lease, incoming, { upload, limit: length, ending: 'later' })
    })
  }
}

/** How many bytes an upload waits for. */
function expectedLength(upload: Upload): number {
  const { state, offset, length } = upload
  if (!isByLink(upload) || length === undefined) throw uploadNotFound()
  if (state === 'failed' || state === 'expired') throw uploadGone(upload)
  if (state !== 'receiving' || offset > 0) throw alreadyArrived()
  return length
}
