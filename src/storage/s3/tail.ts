import { buffer } from 'node:stream/consumers'
import { AppError, hasCode } from '../../errors.ts'
import type { UploadTail } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import type { Bucket } from './bucket.ts'

/** A tail is less than a part: a minute for it is a storage that hangs. */
const patience = 60_000

/**
 * The acknowledged bytes of a tail.
 * @throws AppError `upload-lost` when they are not there, or not that many.
 */
export async function readTail(bucket: Bucket, tail: UploadTail): Promise<Buffer> {
  const bytes = await download(bucket, tail.key)
  if (bytes.length === tail.size) return bytes
  throw uploadLost(new Error(`${tail.key} has ${bytes.length} bytes, not ${tail.size}`))
}

async function download(bucket: Bucket, key: string): Promise<Buffer> {
  try {
    return await buffer(await bucket.get(key, undefined, AbortSignal.timeout(patience)))
  } catch (error) {
    if (hasCode(error, 'object-not-found')) throw uploadLost(error)
    throw error instanceof AppError ? error : storageUnavailable(error)
  }
}
