import type { Readable } from 'node:stream'
import type { AppError } from '../../errors.ts'
import { uploadTooLong } from '../../storage/errors.ts'
import { uploadTooLarge } from '../errors.ts'
import type { Verification } from './verification.ts'

/** The bytes of a request. */
export interface Incoming {
  readonly stream: Readable
  /** How many are announced; undefined when that is not said. */
  readonly announced: number | undefined
  /** What they have to be before any of them counts. */
  readonly verification?: Verification | undefined
}

/**
 * Refuses a body that is announced to be longer than the upload, or than any may be, before any of it
 * is read.
 * @throws AppError `upload-too-long`, `upload-too-large` (413)
 */
export function requireRoomFor(
  incoming: Incoming | undefined,
  from: number,
  length: number | undefined,
  maxSize: number,
): void {
  if (from + (incoming?.announced ?? 0) > (length ?? maxSize)) throw excess(length, maxSize)
}

/** For more bytes than an upload may have. */
export function excess(length: number | undefined, maxSize: number): AppError {
  return length === undefined ? uploadTooLarge(maxSize) : uploadTooLong()
}
