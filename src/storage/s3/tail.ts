import { AppError, hasCode } from '../../errors.ts'
import type { UploadTail } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import type { Bucket } from './bucket.ts'
import type { PartBuffer } from './part-buffer.ts'

/** The tail that counts no more, since its bytes are elsewhere; it is removed on completion. */
export function emptied(tail: UploadTail | undefined): UploadTail | undefined {
  return tail && { key: tail.key, size: 0, crc32: 0 }
}

/**
 * Puts the acknowledged bytes of a tail into an empty buffer that has room for them.
 * @throws AppError `upload-lost` when they are not there, or others.
 */
export async function readTail(
  bucket: Bucket,
  tail: UploadTail,
  buffer: PartBuffer,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const chunk of await bucket.get(tail.key, undefined, signal)) {
      if (!buffer.hasRoom(chunk.length) || buffer.size + chunk.length > tail.size) {
        throw differs(tail, 'more bytes')
      }
      buffer.append(chunk)
    }
  } catch (error) {
    if (hasCode(error, 'object-not-found')) throw uploadLost(error)
    throw error instanceof AppError ? error : storageUnavailable(error)
  }
  if (buffer.size < tail.size) throw differs(tail, `${buffer.size} bytes`)
  if (tail.crc32 !== undefined && buffer.crc32 !== tail.crc32) throw differs(tail, 'other bytes')
}

function differs(tail: UploadTail, found: string): AppError {
  return uploadLost(new Error(`${tail.key} has ${found}, not the ${tail.size} recorded ones`))
}
