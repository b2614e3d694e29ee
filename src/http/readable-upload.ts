import { AppError } from '../errors.ts'
import { uploadGone } from '../uploads/errors.ts'
import type { Upload } from '../uploads/upload.ts'

/**
 * Lets uploads pass that can be read, or may be once they are stored.
 * @throws AppError `upload-expired`, `upload-failed` (410), `upload-is-partial` (409)
 */
export function requireReadable(upload: Upload): void {
  if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
  if (upload.concat?.role === 'partial') {
    const message = 'The upload is a part of another one; its bytes are there.'
    throw new AppError('upload-is-partial', 409, message)
  }
}
