import { uploadTooLong } from '../../storage/errors.ts'
import { RequestBody } from '../body.ts'
import type { Lease } from '../held-lease.ts'
import type { TusRequest } from './request.ts'

/** Whether the body holds bytes of an upload. */
export function hasBytes({ headers }: TusRequest): boolean {
  return headers.get('Content-Type') === 'application/offset+octet-stream'
}

/**
 * Refuses a body that is announced to be longer than the upload, before any of it is read.
 * @throws AppError `upload-too-long` (413)
 */
export function requireRoomFor(request: TusRequest, from: number, length: number): void {
  if (from + (request.announced ?? 0) > length) throw uploadTooLong()
}

/** @param room bytes it may have at most. */
export function bodyOf({ incoming }: TusRequest, { letGo }: Lease, room: number): RequestBody {
  return new RequestBody(incoming, { until: letGo, limit: room })
}
