import { hasCode } from '../../errors.ts'
import type { Progress, RecordProgress, UploadPosition, UploadSource } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import type { MemoryBudget } from '../memory/budget.ts'
import { bytesAfter, type SourceBytes } from '../source-bytes.ts'
import { append } from './append.ts'
import type { Bucket } from './bucket.ts'
import { bytesBeforeCopy, copyAfter } from './concatenation-plan.ts'
import { copyParts } from './copy-parts.ts'

/**
 * `UploadStorage.concatenate` for a bucket: storage copies what it can, and the rest goes through
 * this process as the body of a request does. All of it does where storage cannot copy.
 */
export async function concatenate(
  means: { readonly bucket: Bucket; readonly memory: MemoryBudget },
  start: UploadPosition,
  sources: readonly UploadSource[],
  record: RecordProgress,
  signal: AbortSignal,
): Promise<void> {
  const length = sources.reduce((sum, { size }) => sum + size, 0)
  let position: UploadPosition = { ...start, length }
  let canCopy = true
  const advance = async (progress: Progress) => {
    await record({ ...progress, whole: false })
    position = follow(position, progress)
  }
  const stream = async (bytes: number) => {
    const stretches = bytesAfter(sources, position.offset, bytes)
    await append(means, position, readSources(means.bucket, stretches, signal), advance, signal)
  }
  signal.throwIfAborted()
  while (position.offset < length) {
    const joined = { position, length, sources }
    const { offset } = position
    if (!canCopy) await stream(length - offset)
    else if (!copyAfter(joined)) await stream(bytesBeforeCopy(joined))
    else canCopy = await copyParts(means.bucket, joined, advance, signal)
  }
}

function follow(position: UploadPosition, progress: Progress): UploadPosition {
  const { parts, whole: _, ...rest } = progress
  return { ...position, ...rest, partCount: position.partCount + parts.length }
}

async function* readSources(
  bucket: Bucket,
  stretches: Iterable<SourceBytes>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  for (const { source, start, end } of stretches) {
    let missing = end - start
    try {
      const range = { start, end: end - 1 }
      for await (const chunk of await bucket.get(originalKey(source.id), range, signal)) {
        missing -= chunk.length
        yield chunk
      }
    } catch (error) {
      if (hasCode(error, 'object-not-found', 'range-not-satisfiable')) throw uploadLost(error)
      throw error
    }
    if (missing !== 0) throw uploadLost(new Error(`${source.id} lacks ${missing} bytes`))
  }
}
