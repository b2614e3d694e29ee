import { hasCode } from '../../errors.ts'
import { ArrivingBody } from '../arriving-body.ts'
import type { UploadPart, UploadPosition, UploadStorage } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { originalKey, tailKeys } from '../keys.ts'
import type { Bucket } from './bucket.ts'
import { readTail } from './tail.ts'
import { UploadWriter } from './upload-writer.ts'

export function createS3Uploads(bucket: Bucket): UploadStorage {
  return {
    async append(position, body, record) {
      const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
      const writer = new UploadWriter(bucket, position, record)
      for await (const chunk of arriving.chunks()) await writer.write(chunk)
      const offset = await writer.finish()
      arriving.throwIfFailed()
      return offset
    },
    complete: (position) => complete(bucket, position),
    discard: (position) => discard(bucket, position),
  }
}

async function complete(bucket: Bucket, position: UploadPosition): Promise<void> {
  let failure: unknown
  try {
    await assemble(bucket, position)
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
  if (position.tail) await bucket.remove(tailKeys(position.id))
}

async function assemble(bucket: Bucket, position: UploadPosition): Promise<void> {
  const { multipartId, tail, offset } = position
  const key = originalKey(position.id)
  const rest = tail && tail.size > 0 ? await readTail(bucket, tail) : undefined
  if (multipartId !== undefined && position.parts.length > 0) {
    const parts = rest
      ? [...position.parts, await storeLastPart(bucket, position, multipartId, rest)]
      : position.parts
    await bucket.completeMultipart(key, multipartId, parts)
    return
  }
  // Without either, the object was stored in one piece.
  if (rest || offset === 0) await bucket.put(key, rest ?? Buffer.alloc(0))
  if (multipartId !== undefined) await bucket.abortMultipart(key, multipartId)
}

async function storeLastPart(
  bucket: Bucket,
  position: UploadPosition,
  multipartId: string,
  bytes: Buffer,
): Promise<UploadPart> {
  const number = position.parts.length + 1
  const etag = await bucket.uploadPart(originalKey(position.id), multipartId, number, bytes)
  return { number, size: bytes.length, etag }
}

async function discard(bucket: Bucket, position: UploadPosition): Promise<void> {
  const key = originalKey(position.id)
  // A crash right after a multipart upload was created leaves one that the ledger does not know.
  const ids = new Set(await bucket.listMultiparts(key))
  if (position.multipartId !== undefined) ids.add(position.multipartId)
  for (const id of ids) await bucket.abortMultipart(key, id)
  await bucket.remove([key, ...tailKeys(position.id)])
}
