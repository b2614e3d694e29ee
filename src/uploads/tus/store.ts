import type { Readable } from 'node:stream'
import { DataStore, ERRORS, Metadata, Upload as TusUpload } from '@tus/server'
import type { Principal } from '../../auth/principal.ts'
import type { Database } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import type { Finish } from '../finish.ts'
import { createUpload, declareLength, findUpload } from '../ledger.ts'
import { contentTypeOf, filenameOf } from '../metadata.ts'
import type { Receive } from '../receive.ts'
import type { RemoveUpload } from '../remove.ts'
import type { Upload } from '../upload.ts'

export interface LedgerStoreDependencies {
  readonly database: Database
  readonly receive: Receive
  readonly finish: Finish
  readonly remove: RemoveUpload
  /** Owns the uploads that are created. */
  readonly owner: Principal
}

/**
 * What @tus/server stores into: the ledger says where an upload stands, and bytes go the way they
 * go in every protocol.
 */
export class LedgerStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'creation-defer-length', 'termination']
  readonly #dependencies: LedgerStoreDependencies

  constructor(dependencies: LedgerStoreDependencies) {
    super()
    this.#dependencies = dependencies
  }

  override async create(upload: TusUpload): Promise<TusUpload> {
    const { database, owner, finish } = this.#dependencies
    const metadata = upload.metadata ?? {}
    await createUpload(database.queries, {
      id: upload.id,
      owner: owner.id,
      dialect: 'tus',
      length: upload.size,
      metadata: upload.metadata && Metadata.stringify(upload.metadata),
      filename: filenameOf(metadata),
      contentType: contentTypeOf(metadata),
    })
    if (upload.size === 0) await finish(upload.id)
    return upload
  }

  override write(stream: Readable, id: string, offset: number): Promise<number> {
    return this.#dependencies.receive(id, offset, stream)
  }

  override async getUpload(id: string): Promise<TusUpload> {
    const upload = await findUpload(this.#dependencies.database.queries, id)
    if (!upload) throw ERRORS.FILE_NOT_FOUND
    if (upload.state === 'failed') {
      throw new AppError('upload-failed', 410, upload.failure ?? 'The upload failed.')
    }
    return toTusUpload(upload)
  }

  override async declareUploadLength(id: string, length: number): Promise<void> {
    await declareLength(this.#dependencies.database.queries, id, length)
  }

  override async remove(id: string): Promise<void> {
    if (!(await this.#dependencies.remove(id))) throw ERRORS.FILE_NOT_FOUND
  }
}

function toTusUpload(upload: Upload): TusUpload {
  return new TusUpload({
    id: upload.id,
    offset: upload.offset,
    creation_date: new Date(upload.createdAt).toISOString(),
    ...(upload.length !== undefined && { size: upload.length }),
    ...(upload.metadata !== undefined && { metadata: Metadata.parse(upload.metadata) }),
  })
}
