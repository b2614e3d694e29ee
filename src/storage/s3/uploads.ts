import { hasCode } from '../../errors.ts'
import {
  multipartStarting,
  type UploadPart,
  type UploadPosition,
  type UploadStorage,
  type UploadTail,
} from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { allTailKeys, originalKey } from '../keys.ts'
import type { MemoryBudget } from '../memory/budget.ts'
import { append } from './append.ts'
import { type Bucket, type CheckedBytes, withChecksum } from './bucket.ts'
import { concatenate } from './concatenate.ts'
import { abortMultiparts } from './multipart.ts'
import { PartBuffer } from './part-buffer.ts'
import { removeLeftovers } from './staged-pieces.ts'
import { readTail } from './tail.ts'

/** What the parts of this file work with. */
interface Means {
  readonly bucket: Bucket
  readonly memory: MemoryBudget
}

const never = new AbortController().signal

export function createS3Uploads(bucket: Bucket, memory: MemoryBudget): UploadStorage {
  const means = { bucket, memory }
  return {
    append: (...args) => append(means, ...args),
    concatenate: (...args) => concatenate(means, ...args),
    complete: (position, parts) => complete(means, position, parts),
    discard: (position) => discard(bucket, position),
  }
}

async function complete(
  means: Means,
  position: UploadPosition,
  parts: readonly UploadPart[],
): Promise<void> {
  const { bucket } = means
  let failure: unknown
  try {
    await assemble(means, position, parts)
  } catch (error) {
    // What it is made of is gone, as it is when an earlier call made the object: look for that.
    if (!hasCode(error, 'upload-lost')) throw error
    failure = error
  }
  const object = await bucket.head(originalKey(position.id))
  if (object?.size !== position.offset) {
    await bucket.verify()
    throw failure ?? uploadLost(new Error(`The object has ${object?.size} bytes`))
  }
  if (position.tail || position.tailUnsettled) {
    await bucket.remove(allTailKeys(position.id, position.tailEpoch))
  }
  await removeLeftovers(bucket, position)
}

async function assemble(
  means: Means,
  position: UploadPosition,
  parts: readonly UploadPart[],
): Promise<void> {
  const { bucket } = means
  const { multipartId, tail, offset } = position
  const key = originalKey(position.id)
  const hasTail = tail !== undefined && tail.size > 0
  if (multipartId && parts.length > 0) {
    const at = { key, multipartId }
    const number = parts.length + 1
    const last = hasTail
      ? [await withTail(means, tail, (bytes) => bucket.uploadPart(at, number, bytes))]
      : []
    await bucket.completeMultipart(at, [...parts, ...last])
    return
  }
  // Without either, the object was stored in one piece.
  if (hasTail) await withTail(means, tail, (bytes) => bucket.put(key, bytes))
  else if (offset === 0) await bucket.put(key, withChecksum(Buffer.alloc(0)))
  if (multipartId === multipartStarting) await abortMultiparts(bucket, key)
  else if (multipartId) await bucket.abortMultipart({ key, multipartId })
}

/** Reads a tail into memory of the budget for as long as it is used. */
async function withTail<T>(
  { bucket, memory }: Means,
  tail: UploadTail,
  use: (bytes: CheckedBytes) => Promise<T>,
): Promise<T> {
  const share = memory.open()
  try {
    const buffer = new PartBuffer(share)
    await buffer.grow(tail.size, tail.size, never)
    await readTail(bucket, tail, buffer, never)
    return await use(buffer.take())
  } finally {
    share.close()
  }
}

async function discard(bucket: Bucket, position: UploadPosition): Promise<void> {
  const key = originalKey(position.id)
  const { multipartId } = position
  if (multipartId) await bucket.abortMultipart({ key, multipartId })
  // A writer that lost its lease while it created one leaves it behind, whatever the ledger says.
  await abortMultiparts(bucket, key)
  await bucket.remove([key, ...allTailKeys(position.id, position.tailEpoch)])
  await removeLeftovers(bucket, position)
}
