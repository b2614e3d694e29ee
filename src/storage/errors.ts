/** The errors of storage. Their messages are for anybody; what happened underneath is the cause. */
import { AppError, type AppErrorOptions } from '../errors.ts'

const retryAfter = 5

export function storageUnavailable(cause: unknown): AppError {
  return new AppError('storage-unavailable', 503, 'Storage does not answer as it should.', {
    cause,
    retryAfter,
  })
}

export function storageFull(cause: unknown): AppError {
  return new AppError('storage-full', 507, 'There is no room left in storage.', { cause })
}

export function objectNotFound(cause: unknown): AppError {
  return new AppError('object-not-found', 404, 'There is no such object.', { cause })
}

export function rangeNotSatisfiable(options?: AppErrorOptions): AppError {
  return new AppError('range-not-satisfiable', 416, 'The range begins after the end.', options)
}

export function uploadLost(cause: unknown): AppError {
  return new AppError(
    'upload-lost',
    410,
    'Storage has lost bytes of this upload; start a new upload.',
    { cause },
  )
}

export function uploadTooLong(): AppError {
  return new AppError('upload-too-long', 413, 'The body goes beyond the length of the upload.')
}

/** @param line What the operator reads at the start: begins with the setting to look at. */
export function storageUnusable(line: string, cause?: unknown): AppError {
  return new AppError('storage-unusable', 500, line, { cause })
}
