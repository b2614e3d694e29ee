import type { Readable } from 'node:stream'

/** Bytes from `start` to `end`, both included, counted from zero (as in HTTP's Range). */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface StoredObject {
  /** Bytes of the whole object. */
  readonly size: number
}

/**
 * Whole objects by key. Keys come from `keys.ts`, never from a client.
 *
 * What `put` and `putFile` acknowledged is durable. Every method throws an `AppError` with code
 * `storage-unavailable` (503) when storage does not answer or refuses for no fault of the caller,
 * and `storage-full` (507) when there is no room.
 */
export interface ObjectStorage {
  /** Where the objects are, without credentials: `disk ./data/objects`, `s3 bucket at https://…`. */
  describe(): string
  /** Whether objects can be written and read back. @throws AppError `storage-unusable`, with a message that names the setting. */
  check(): Promise<void>
  /** Writes or replaces an object from memory. */
  put(key: string, body: Buffer, contentType: string): Promise<void>
  /** Writes or replaces an object from a local file, which stays. */
  putFile(key: string, path: string, contentType: string): Promise<void>
  /** The object's size, or undefined when there is no such object. */
  head(key: string): Promise<StoredObject | undefined>
  /**
   * The object's bytes, or those of a range. Destroying the stream frees the connection or file.
   * @throws AppError `object-not-found` (404).
   */
  read(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable>
  /** Removes objects; one that is not there is no error. */
  remove(keys: readonly string[]): Promise<void>
  /** Frees sockets. */
  close(): Promise<void>
}

/** Capability of storage on this machine: an object is a file that can be opened in place. */
export interface LocalFiles {
  /** The file behind a key. Read it only. */
  pathOf(key: string): string
}

export function hasLocalFiles(storage: ObjectStorage): storage is ObjectStorage & LocalFiles {
  return 'pathOf' in storage
}
