import type { RecordProgress, UploadPosition } from './contract.ts'

/** What a client is to send to storage itself. */
export interface DirectUpload {
  /** Exactly so many bytes. */
  readonly size: number
  readonly contentType: string
  /** For so long it can be begun, from now on. */
  readonly seconds: number
}

/** Where a client sends bytes to, with PUT, and the fields that it has to send along. */
export interface DirectTarget {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** What became of bytes that a client sent: not there, not as many as they should be, or taken over. */
export type Adoption =
  | { readonly outcome: 'absent' | 'adopted' }
  | { readonly outcome: 'other-size'; readonly size: number }

/** Capability of storage that clients can send bytes to, without this program in between. */
export interface DirectUploads {
  /** Bytes that one link can bring at most. */
  readonly largestDirect: number
  /**
   * A URL that stores what is PUT to it under a key, as often as somebody does. The URL is a secret: it
   * needs no more than itself, and nothing takes it back. A service that goes by the rules refuses
   * another number of bytes; it is to be looked at all the same.
   * @throws AppError `storage-unavailable` (503) when there are no credentials to sign with.
   */
  signUpload(key: string, upload: DirectUpload): Promise<DirectTarget>
  /**
   * Makes an object the bytes of an upload whose length is known, all of them or none, by a copy: what
   * happens to the object from then on does not concern the upload. Records what it makes as
   * `UploadStorage.append` does, but never says `whole`; once the last byte is recorded `complete` is
   * to follow. Safe to call again after a crash at any point: of what an earlier call left under way
   * nothing can get into the upload any more.
   */
  adopt(
    position: UploadPosition,
    key: string,
    record: RecordProgress,
    signal: AbortSignal,
  ): Promise<Adoption>
  /** The key that an object of a bucket has here; undefined for one that is none of ours. */
  keyOf(bucket: string, key: string): string | undefined
}

export function hasDirectUploads<T extends object>(storage: T): storage is T & DirectUploads {
  return 'signUpload' in storage
}
