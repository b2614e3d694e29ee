/** What the SDK throws, as the errors of storage. */
import { S3ServiceException } from '@aws-sdk/client-s3'
import { AppError, hasCode, messageOf } from '../../errors.ts'
import {
  objectNotFound,
  rangeNotSatisfiable,
  storageFull,
  storageUnavailable,
  uploadLost,
} from '../errors.ts'

/** InvalidPart: a part we were given an etag for is missing or is another one now. */
const lost = ['NoSuchUpload', 'InvalidPart']
const missing = ['NoSuchKey', 'NotFound']
const full = ['QuotaExceeded', 'XMinioStorageFull', 'InsufficientCapacity']

export function storageError(error: unknown): unknown {
  if (error instanceof AppError || isAbort(error)) return error
  if (isS3Error(error, ...lost)) return uploadLost(error)
  if (isS3Error(error, ...missing)) return objectNotFound(error)
  if (isS3Error(error, 'InvalidRange')) return rangeNotSatisfiable({ cause: error })
  if (isS3Error(error, ...full) || statusOf(error) === 507) return storageFull(error)
  return storageUnavailable(error)
}

export function isS3Error(error: unknown, ...names: string[]): boolean {
  return error instanceof S3ServiceException && names.includes(error.name)
}

/** The HTTP status S3 answered with, if it answered. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

/** How often the SDK tried before it gave up. */
export function attemptsOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.attempts : undefined
}

/**
 * What Ceph answers to CompleteMultipartUpload while another one runs, but also, and then for ever,
 * when there is no such upload.
 */
export function isCephInProgress(error: unknown): boolean {
  return isS3Error(error, 'InternalError') && messageOf(error).includes('already in progress')
}

function isAbort(error: unknown): boolean {
  return (error instanceof Error && error.name === 'AbortError') || hasCode(error, 'ABORT_ERR')
}
