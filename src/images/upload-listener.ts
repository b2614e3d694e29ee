import type { Preset } from '../conversion/contract.ts'
import { examine, headSize } from '../conversion/sniff.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { UploadListener } from '../uploads/listener.ts'
import { keysOf } from './presets.ts'
import { createImage, renditionKeys } from './records.ts'

/**
 * An upload that is stored becomes an image to convert, or one that failed at once when its first
 * bytes were seen and say so; one that goes takes its renditions along.
 */
export function imageListener(queue: JobQueue, presets: readonly Preset[]): UploadListener {
  return {
    headSize,
    examine: async ({ sha256, head }) => ({ sha256, ...(await examine(head)) }),
    async stored(trx, upload, examined) {
      await createImage(trx, upload, examined)
      if (examined?.refusal) {
        await appendEvent(trx, 'image.failed', upload.id, { code: examined.refusal.code })
        return []
      }
      await queue.enqueue(trx, 'image.convert', { imageId: upload.id }, { dedupeKey: upload.id })
      return ['image.convert']
    },
    // A conversion that has not come to its end may have stored some that no record names yet.
    removing: async (trx, uploadId) => [
      ...new Set([...(await renditionKeys(trx, uploadId)), ...keysOf(presets, uploadId)]),
    ],
  }
}
