import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import type { JobKind } from '../queue/kinds.ts'
import type { ArrivedContent } from './content.ts'
import type { Upload } from './upload.ts'

/** What a file is, as far as its first bytes tell. */
export interface Examined {
  /** Of all its bytes, in hex. */
  readonly sha256: string
  /** Undefined when no known format begins like that. */
  readonly contentType: string | undefined
  /** Why nothing can be made of it: a stable code, and words for its owner. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined
}

/**
 * What else happens with an upload, in the same transaction. This is how `uploads` reaches what is
 * made of an upload without knowing it.
 */
export interface UploadListener {
  /** How many of a file's first bytes `examine` wants to see. */
  readonly headSize: number
  /** Looks at a small file that came at once. Takes its time, so it is outside of the transaction. */
  examine(content: ArrivedContent): Promise<Examined>
  /** The media type that a file is of by its first bytes; undefined where no known format begins so. */
  typeOf(head: Buffer): Promise<string | undefined>
  /**
   * The object exists; called once for an upload, in the transaction that makes it `stored`. Returns
   * the kinds of the jobs that it queued.
   */
  stored(trx: Transaction<Schema>, upload: Upload, examined?: Examined): Promise<readonly JobKind[]>
  /** The upload goes away; returns the keys of the objects that go with it. */
  removing(trx: Transaction<Schema>, uploadId: string): Promise<string[]>
}
