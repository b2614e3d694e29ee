import type { Readable } from 'node:stream'
import type { Database } from '../database/database.ts'
import { AppError } from '../errors.ts'
import type { UploadStorage } from '../storage/contract.ts'
import type { Finish } from './finish.ts'
import { findUpload, readPosition, recordProgress } from './ledger.ts'
import { noticingLoss } from './lost.ts'
import type { Writers } from './writers.ts'

export interface ReceiveDependencies {
  readonly database: Database
  readonly storage: UploadStorage
  readonly writers: Writers
  readonly finish: Finish
}

/**
 * Takes the bytes of one request, which follow the first `from` bytes of an upload, and returns the
 * offset that is recorded then. With the last byte it returns only when the upload is `stored`.
 *
 * When the connection breaks, what arrived is recorded before the error is thrown on.
 * @throws AppError `upload-not-found` (404), `offset-mismatch` (409), and what storage throws.
 */
export type Receive = (id: string, from: number, body: Readable) => Promise<number>

/** The protocols differ in how they ask; this is what they all do then. */
export function createReceive({
  database,
  storage,
  writers,
  finish,
}: ReceiveDependencies): Receive {
  return async (id, from, body) => {
    const upload = await findUpload(database.queries, id)
    const position = await readPosition(database.queries, id)
    if (!upload || !position)
      throw new AppError('upload-not-found', 404, 'There is no such upload.')
    if (position.offset !== from) {
      throw new AppError('offset-mismatch', 409, `The upload stands at ${position.offset} bytes.`)
    }
    let recorded = from
    const write = async (chunks: AsyncIterable<Buffer>) => {
      if (upload.state === 'receiving') {
        await storage.append(position, chunks, async (progress) => {
          await recordProgress(database, id, recorded, progress)
          recorded = progress.offset
        })
      }
      await finish(id)
    }
    await noticingLoss(database, id, () => writers.run(id, body, write))
    return recorded
  }
}
