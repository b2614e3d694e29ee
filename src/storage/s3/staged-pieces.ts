/** Bytes that were put aside until they are verified: objects of their own, and nobody else's. */
import { addAbortSignal } from 'node:stream'
import { crc32 } from 'node:zlib'
import { AppError } from '../../errors.ts'
import type { UploadPosition } from '../contract.ts'
import { storageUnavailable } from '../errors.ts'
import { stagedKeys } from '../keys.ts'
import type { Bucket, CheckedBytes } from './bucket.ts'

/** How far a piece is read before its bytes are compared and go on. */
const markEvery = 256 * 2 ** 10
const readAttempts = 3
/** Keys that are removed at the same time, and the milliseconds that this may take. */
const removedAtOnce = 16
const removalLimit = 5_000

export interface StagedPiece {
  readonly key: string
  readonly size: number
  /** The CRC-32 of all of its bytes up to each mark. */
  readonly marks: readonly number[]
}

/** The last mark is the checksum that the bytes had when they arrived. */
export function describePiece(key: string, { bytes, crc32: arrived }: CheckedBytes): StagedPiece {
  const marks: number[] = []
  let sum = 0
  for (let start = 0; start + markEvery < bytes.length; start += markEvery) {
    sum = crc32(bytes.subarray(start, start + markEvery), sum)
    marks.push(sum)
  }
  return { key, size: bytes.length, marks: [...marks, arrived] }
}

/**
 * Yields the bytes of a piece, from mark to mark and each stretch in the same memory, once they are
 * what they were. Reading is tried again from the last good mark.
 * @throws AppError `storage-unavailable`
 */
export async function* readPiece(
  bucket: Bucket,
  piece: StagedPiece,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const stretch = Buffer.allocUnsafe(Math.min(markEvery, piece.size))
  let done = 0
  for (let attempt = 1; done < piece.size; attempt += 1) {
    try {
      for await (const bytes of readStretches(bucket, piece, done, stretch, signal)) {
        yield bytes
        done += bytes.length
      }
    } catch (error) {
      signal.throwIfAborted()
      if (attempt === readAttempts) {
        throw error instanceof AppError ? error : storageUnavailable(error)
      }
    }
  }
}

async function* readStretches(
  bucket: Bucket,
  { key, size, marks }: StagedPiece,
  start: number,
  stretch: Buffer,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let mark = start / markEvery
  let filled = 0
  const sizeAt = () => Math.min(markEvery, size - mark * markEvery)
  const download = await bucket.get(key, { start, end: size - 1 }, signal)
  for await (const chunk of addAbortSignal(signal, download)) {
    let rest: Buffer = chunk
    while (rest.length > 0) {
      const piece = rest.subarray(0, sizeAt() - filled)
      if (piece.length === 0) throw new Error(`${key} has more than ${size} bytes`)
      piece.copy(stretch, filled)
      filled += piece.length
      rest = rest.subarray(piece.length)
      if (filled < sizeAt()) continue
      const bytes = stretch.subarray(0, filled)
      if (crc32(bytes, marks[mark - 1] ?? 0) !== marks[mark]) throw new Error(`${key} has changed`)
      yield bytes
      mark += 1
      filled = 0
    }
  }
  if (mark < marks.length) throw new Error(`${key} has fewer than ${size} bytes`)
}

/**
 * Removes objects, a few at a time.
 * @throws AppError `storage-unavailable`
 */
export async function removePieces(bucket: Bucket, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += removedAtOnce) {
    const limit = AbortSignal.timeout(removalLimit)
    try {
      await bucket.remove(keys.slice(start, start + removedAtOnce), limit)
    } catch (error) {
      throw error instanceof AppError ? error : storageUnavailable(error)
    }
  }
}

/** Removes what a request left aside that did not come to its end. */
export async function removeLeftovers(
  bucket: Bucket,
  { id, staged }: Pick<UploadPosition, 'id' | 'staged'>,
): Promise<void> {
  if (staged) await removePieces(bucket, stagedKeys(id, staged.token, 0, staged.count))
}
