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
  /**
   * Writes, reads and removes a small object, for the start; answers within seconds either way.
   * @throws AppError `storage-unusable` (500): one line for the operator, naming the setting.
   */
  check(): Promise<void>
  /** Whether storage answers at all: one cheap call that changes nothing, to be asked often. */
  ping(): Promise<void>
  /** Writes or replaces an object from memory. */
  put(key: string, body: Buffer, contentType: string): Promise<void>
  /** Writes or replaces an object from a local file, which stays. */
  putFile(key: string, path: string, contentType: string): Promise<void>
  /** The object's size, or undefined when there is no such object. */
  head(key: string): Promise<StoredObject | undefined>
  /**
   * The object's bytes, or those of a range; a range that ends beyond the object is cut to it.
   * Destroying the stream frees the connection or file.
   * @throws AppError `object-not-found` (404), `range-not-satisfiable` (416) for a range that
   * starts beyond the object.
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

/** A part of an S3 multipart upload, as storage acknowledged it. Numbers count from 1, sizes are bytes. */
export interface UploadPart {
  readonly number: number
  readonly size: number
  readonly etag: string
}

/**
 * Acknowledged bytes after the last part, too few for a part of their own. Size 0 means that
 * nothing under the key counts any more (or yet), but that something may still lie there.
 */
export interface UploadTail {
  readonly key: string
  readonly size: number
}

/** Where an upload stands in storage. The ledger keeps it, exactly as it was last recorded. */
export interface UploadPosition {
  readonly id: string
  /** Bytes of the whole upload; undefined while the client has not said. */
  readonly length: number | undefined
  /** Bytes that are durable, contiguous from zero. */
  readonly offset: number
  readonly multipartId: string | undefined
  /** In order, without gaps, from number 1. Always empty on disk. */
  readonly parts: readonly UploadPart[]
  readonly tail: UploadTail | undefined
}

/**
 * What the ledger must write down, all in one transaction. Every field but `part` replaces what
 * was recorded before; `part` is added to the parts. Some progress leaves the offset as it is: it
 * names what is about to be made in storage, so that cleaning up finds it after a crash.
 */
export interface Progress {
  readonly offset: number
  readonly multipartId: string | undefined
  readonly part: UploadPart | undefined
  readonly tail: UploadTail | undefined
}

/** Makes progress durable in the ledger. When it throws, storage goes no further and throws it on. */
export type RecordProgress = (progress: Progress) => Promise<void>

/**
 * Objects that are built up over several requests, at `originalKey(id)`. Nothing is at that key
 * for `ObjectStorage` to read before all of it is there.
 *
 * One caller at a time may append to an upload (the lease sees to it). Every method throws
 * `storage-unavailable` (503) and `storage-full` (507) as `ObjectStorage` does, and `upload-lost`
 * (410) when storage no longer has bytes that were recorded: such an upload cannot be saved.
 */
export interface UploadStorage {
  /**
   * Stores what `body` yields after `position.offset`, and calls `record` each time more of it is
   * durable: at least every 16 MiB or full part, and at the end. Bytes in storage beyond the
   * recorded offset never count and are overwritten.
   *
   * When `body` throws (the client is gone), what arrived is stored and recorded before the error
   * is thrown on. When storage or `record` throws, the iterator of `body` is told to return.
   * A body that goes beyond `position.length` is cut there and ends with `upload-too-long` (413).
   *
   * @returns the offset recorded last; `position.offset` when nothing arrived.
   */
  append(
    position: UploadPosition,
    body: AsyncIterable<Buffer>,
    record: RecordProgress,
  ): Promise<number>
  /**
   * Makes the object exist with exactly the `position.offset` recorded bytes, durable, and checks
   * its size. Safe to call again after a crash at any point, and concurrently with itself.
   */
  complete(position: UploadPosition): Promise<void>
  /** Removes all that storage holds of an upload, finished or not. What is gone already is no error. */
  discard(position: UploadPosition): Promise<void>
}

/** What every backend can do. */
export type Storage = ObjectStorage & UploadStorage
