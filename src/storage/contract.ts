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

/** What is answered to whoever follows a signed link. */
export interface LinkOptions {
  readonly contentType: string
  readonly contentDisposition: string
  readonly cacheControl: string
  /** For so long it can be followed, from now on. */
  readonly seconds: number
}

/** Capability of storage that others can reach: it gives an object to whoever has a link to it. */
export interface SignedLinks {
  /**
   * A URL that answers GET with the object's bytes. The link is a secret: it needs no more than
   * itself, and nothing takes it back. It is not asked whether there is such an object.
   * @throws AppError `storage-unavailable` (503) when there are no credentials to sign with.
   */
  signLink(key: string, options: LinkOptions): Promise<string>
}

export function hasSignedLinks<T extends object>(storage: T): storage is T & SignedLinks {
  return 'signLink' in storage
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
  /**
   * CRC-32 (ISO 3309, as in zlib) of the bytes, by which they are known again. Undefined in tails
   * recorded by releases that did not keep it.
   */
  readonly crc32: number | undefined
}

/**
 * Parts nobody heard what became of: so many after the last recorded one, each of `size` bytes, but
 * the last of the upload of what is left. A call that was given up may yet land, whoever goes on
 * meanwhile; it does no harm as long as the part it replaces is made of the same bytes.
 */
export interface UnsettledParts {
  readonly count: number
  readonly size: number
}

/**
 * Bytes of a request that have to be verified before they count, put aside in pieces of their own:
 * see `stagedKeys`. Nothing but the request that wrote them ever reads them.
 */
export interface StagedPieces {
  /**
   * A new one for each request that finds none; who finds one goes on after `count` with it. So no
   * two requests write the same piece, and none can land on one of another.
   */
  readonly token: string
  /** At most so many were begun. */
  readonly count: number
}

/**
 * The id in a position when a multipart upload was about to be created: after a crash there may be
 * one that is known by its key only.
 */
export const multipartStarting = ''

/** Where an upload stands in storage. The ledger keeps it, exactly as it was last recorded. */
export interface UploadPosition {
  readonly id: string
  /**
   * Of an upload that was only just created: the moment (of `performance.now()`) until when surely
   * nobody else has stored anything of it. Storage need not look for that before.
   */
  readonly untouchedUntil?: number
  /** Bytes of the whole upload; undefined while the client has not said. */
  readonly length: number | undefined
  /** Bytes that are durable, contiguous from zero: those in parts, then those of the tail. */
  readonly offset: number
  /** Undefined without one, `multipartStarting` while one is being created. Always undefined on disk. */
  readonly multipartId: string | undefined
  /** The recorded parts have the numbers from 1 to this. Always 0 on disk. */
  readonly partCount: number
  /** Always undefined on disk. */
  readonly unsettledParts: UnsettledParts | undefined
  readonly tail: UploadTail | undefined
  /** Which keys tails are written to; see `tailKeys`. Always 0 on disk. */
  readonly tailEpoch: number
  /** A tail was about to be written, and nobody heard how that went. */
  readonly tailUnsettled: boolean
  /** What a request left aside that did not come to its end; to be removed. Always undefined on disk. */
  readonly staged: StagedPieces | undefined
}

/**
 * What the ledger must write down, all in one transaction. Every field but `parts` replaces what
 * was recorded before; `parts` are added to those there are. Some progress leaves the offset as it
 * is: it names what is about to be made in storage, so that cleaning up finds it after a crash.
 */
export interface Progress {
  readonly offset: number
  readonly multipartId: string | undefined
  /** In order, without gaps, following the recorded ones. */
  readonly parts: readonly UploadPart[]
  /** Counted from the last of the recorded parts, with those of `parts` among them. */
  readonly unsettledParts: UnsettledParts | undefined
  readonly tail: UploadTail | undefined
  readonly tailEpoch: number
  readonly tailUnsettled: boolean
  readonly staged: StagedPieces | undefined
  /**
   * The object exists at its key with all of the bytes, checked against what storage says that it
   * stored: nothing is left to complete.
   */
  readonly whole: boolean
}

/** What `append` can be given besides. */
export interface AppendOptions {
  /**
   * Called at most once, when all of the upload has come and is about to be durable: a good moment
   * for work that the record of it will need. It must not throw.
   */
  readonly whileWaiting?: () => void
  /**
   * Called once the body has come to its proper end, before any of its bytes counts. When it throws,
   * or the body breaks or is cut, none of them ever does: no progress beyond `position.offset` is
   * recorded, and the error is thrown on. The body may be far larger than memory.
   */
  readonly verify?: () => void
}

/** A finished upload whose bytes become a part of another one. */
export interface UploadSource {
  readonly id: string
  readonly size: number
}

/** Makes progress durable in the ledger. When it throws, storage goes no further and throws it on. */
export type RecordProgress = (progress: Progress) => Promise<void>

/**
 * Objects that are built up over several requests, at `originalKey(id)`. What `ObjectStorage` finds
 * at that key counts once it is recorded as whole, or completed: a moment earlier it may not be all.
 *
 * One caller at a time may append to an upload (the lease sees to it). Every method throws
 * `storage-unavailable` (503) and `storage-full` (507) as `ObjectStorage` does, and `upload-lost`
 * (410) when storage no longer has bytes that were recorded: such an upload cannot be saved.
 */
export interface UploadStorage {
  /**
   * Stores what `body` yields after `position.offset`, and calls `record` each time more of it is
   * durable, in order and never twice at a time: at least every 16 MiB or full part, and at the
   * end. Bytes in storage beyond the recorded offset never count and are overwritten.
   *
   * When `body` throws (the client is gone) or ends, what arrived is stored and recorded before
   * the error is thrown on. When storage or `record` throws, the iterator of `body` is told to
   * return. A body that goes beyond `position.length` is cut there and ends with
   * `upload-too-long` (413).
   *
   * Once `signal` is aborted (the lease is lost) nothing more is stored or recorded, all waiting
   * ends, and its reason is thrown. However it ends, when it settles nothing of it is under way.
   *
   * @returns the offset recorded last; `position.offset` when nothing arrived.
   */
  append(
    position: UploadPosition,
    body: AsyncIterable<Buffer>,
    record: RecordProgress,
    signal: AbortSignal,
    options?: AppendOptions,
  ): Promise<number>
  /**
   * Appends other uploads, all of them and in order, to an upload that consists of them and nothing
   * else: its length is their sum, and one may be among them more than once. Goes on from
   * `position.offset`, so it is safe to call again after a crash at any point, and records each time
   * more of it is durable, as `append` does; but `whole` is never said, and `complete` is to follow.
   *
   * The sources are used up: storage may remove one, or make it a piece of the whole, once it is
   * needed no more. Those that are left are the caller's to discard.
   */
  concatenate(
    position: UploadPosition,
    sources: readonly UploadSource[],
    record: RecordProgress,
    signal: AbortSignal,
  ): Promise<void>
  /**
   * Makes the object exist with exactly the `position.offset` recorded bytes, durable, and checks
   * its size. Safe to call again after a crash at any point, and concurrently with itself.
   *
   * @param parts all recorded parts, in order.
   */
  complete(position: UploadPosition, parts: readonly UploadPart[]): Promise<void>
  /** Removes all that storage holds of an upload, finished or not. What is gone already is no error. */
  discard(position: UploadPosition): Promise<void>
}

/** Capability of storage that can fill up: whether so many bytes more would fit now. */
export interface LimitedSpace {
  /** @throws AppError `storage-full` (507) when they would not. */
  requireRoom(bytes: number): Promise<void>
}

export function hasLimitedSpace<T extends object>(storage: T): storage is T & LimitedSpace {
  return 'requireRoom' in storage
}

/** What every backend can do. */
export type Storage = ObjectStorage & UploadStorage
