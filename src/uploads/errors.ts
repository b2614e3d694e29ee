import { AppError } from '../errors.ts'
import type { Upload } from './upload.ts'

export function uploadNotFound(): AppError {
  return new AppError('upload-not-found', 404, 'There is no such upload.')
}

/** For an upload that can neither be continued nor read. */
export function uploadGone({ state, failure }: Upload): AppError {
  return state === 'expired'
    ? new AppError('upload-expired', 410, 'The upload was not continued in time; start a new one.')
    : new AppError('upload-failed', 410, failure ?? 'The upload failed; start a new one.')
}

export function locked(): AppError {
  return new AppError('upload-locked', 423, 'The upload is in use by another request.', {
    retryAfter: 1,
  })
}

export function stopping(): AppError {
  return new AppError('stopping', 503, 'The server is about to stop; go on in a moment.', {
    retryAfter: 2,
  })
}

export function leaseLost(): AppError {
  return new AppError('lease-lost', 423, 'Another request continues this upload.', {
    retryAfter: 1,
  })
}
