/**
 * How an upload is put together from others: as a function of what the ledger has of it and nothing
 * else, so that whoever goes on makes the same parts of the same bytes. A copy that was given up may
 * land at any later time, and is then the part itself.
 */
import type { UploadPosition, UploadSource } from '../contract.ts'
import { bytesAfter, type SourceBytes } from '../source-bytes.ts'
import { type InParts, maxPart, mayEndPart, minPart, partSize } from './part-sizes.ts'

/** Bytes of one copy, unless there would be too many parts. */
const usualCopy = 64 * 2 ** 20

/** What is known of an upload that is being put together. */
export interface Joined {
  readonly position: UploadPosition
  readonly length: number
  readonly sources: readonly UploadSource[]
}

/** The bytes that storage can copy into the next part, if it can: there must be enough of them. */
export function nextCopy(
  { sources, length }: Pick<Joined, 'sources' | 'length'>,
  done: InParts,
): SourceBytes | undefined {
  const [next] = bytesAfter(sources, done.bytes)
  // Of an object that is no larger S3 copies nothing or all.
  if (!next || next.source.size <= minPart) return undefined
  const rest = next.end - next.start
  const most = Math.min(Math.max(usualCopy, partSize(length, done)), maxPart - minPart)
  // No rest that is too small for a part stays behind.
  const size = rest < most + minPart ? rest : most
  return mayEndPart(size, length, done) ? { ...next, end: next.start + size } : undefined
}

/** How far what follows can be copied: undefined when it cannot. */
export function copyAfter(joined: Joined): SourceBytes | undefined {
  const { position, length } = joined
  const { tail, unsettledParts, partCount, multipartId, offset } = position
  // Parts that were begun with bytes are made of the same ones, and those in a tail are in a part.
  if (unsettledParts || (tail?.size ?? 0) > 0) return undefined
  // A small one is stored in one piece.
  const done = { parts: partCount, bytes: offset }
  if (!multipartId && length <= partSize(length, done)) return undefined
  return nextCopy(joined, done)
}

/** Bytes to be stored as those of a request are, before the next ones can be copied. */
export function bytesBeforeCopy(joined: Joined): number {
  const { position, length } = joined
  const { offset, partCount, tail, unsettledParts } = position
  const tailSize = tail?.size ?? 0
  let parts = partCount
  let bytes = offset - tailSize
  // What may have been begun is made again as it was, one after the other.
  if (unsettledParts) bytes += Math.max(unsettledParts.size, tailSize + 1)
  else {
    do {
      bytes += Math.max(partSize(length, { parts, bytes }), tailSize + 1)
      parts += 1
    } while (bytes < length && !nextCopy(joined, { parts, bytes }))
  }
  return Math.min(bytes, length) - offset
}
