import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import type { Upload } from './upload.ts'

/**
 * What else happens with an upload, in the same transaction. This is how `uploads` reaches what is
 * made of an upload without knowing it.
 */
export interface UploadListener {
  /** The object exists; called once for an upload, in the transaction that makes it `stored`. */
  stored(trx: Transaction<Schema>, upload: Upload): Promise<void>
  /** The upload goes away; returns the keys of the objects that go with it. */
  removing(trx: Transaction<Schema>, uploadId: string): Promise<string[]>
}
