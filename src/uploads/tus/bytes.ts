import { AppError } from '../../errors.ts'
import type { UploadRequest } from '../protocol/request.ts'
import type { Incoming } from '../requests/incoming.ts'
import { readChecksum } from './checksum.ts'

const bytesType = 'application/offset+octet-stream'

/** The bytes of an upload that a request brings; undefined when its body is something else. */
export function bytesOf(request: UploadRequest): Incoming | undefined {
  return request.contentType === bytesType ? request.bytes(readChecksum(request)) : undefined
}

/** @throws AppError `bad-content-type` (415) */
export function requireBytes(request: UploadRequest): Incoming {
  const bytes = bytesOf(request)
  if (!bytes) throw new AppError('bad-content-type', 415, `Content-Type has to be ${bytesType}.`)
  return bytes
}
