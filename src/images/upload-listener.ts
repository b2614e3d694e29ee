import type { JobQueue } from '../queue/contract.ts'
import type { UploadListener } from '../uploads/listener.ts'
import { createImage, renditionKeys } from './records.ts'

/** An upload that is stored becomes an image to convert; one that goes takes its renditions along. */
export function imageListener(queue: JobQueue): UploadListener {
  return {
    async stored(trx, upload) {
      await createImage(trx, upload)
      await queue.enqueue(trx, 'image.convert', { imageId: upload.id }, { dedupeKey: upload.id })
    },
    removing: (trx, uploadId) => renditionKeys(trx, uploadId),
  }
}
