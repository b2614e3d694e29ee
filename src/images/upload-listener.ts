import type { Preset } from '../conversion/contract.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { UploadListener } from '../uploads/listener.ts'
import { keysOf } from './presets.ts'
import { createImage, renditionKeys } from './records.ts'

/** An upload that is stored becomes an image to convert; one that goes takes its renditions along. */
export function imageListener(queue: JobQueue, presets: readonly Preset[]): UploadListener {
  return {
    async stored(trx, upload) {
      await createImage(trx, upload)
      await queue.enqueue(trx, 'image.convert', { imageId: upload.id }, { dedupeKey: upload.id })
    },
    // A conversion that has not come to its end may have stored some that no record names yet.
    removing: async (trx, uploadId) => [
      ...new Set([...(await renditionKeys(trx, uploadId)), ...keysOf(presets, uploadId)]),
    ],
  }
}
