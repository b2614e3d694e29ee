import { hasLimitedSpace, type Storage } from '../../storage/contract.ts'
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

/**
 * Whether storage could take so many bytes more, as far as it can tell.
 * @throws AppError `storage-full` (507)
 */
export async function requireSpace(storage: Storage, bytes = 0): Promise<void> {
  if (bytes > 0 && hasLimitedSpace(storage)) await storage.requireRoom(bytes)
}

/** @param room bytes it may have at most. */
export function bodyOf({ incoming }: TusRequest, { letGo }: Lease, room: number): RequestBody {
  return new RequestBody(incoming, { until: letGo, limit: room })
}
