import type { Preset } from '../conversion/contract.ts'
import { examine, headSize, sniff } from '../conversion/sniff.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import type { UploadListener } from '../uploads/listener.ts'
import { becomeReadyAsTwin } from './duplicates.ts'
import { createImage } from './records.ts'
import { forgetUnused, lockImage, unusedObjects } from './rendition-objects.ts'
import { removeRenditions } from './rendition-records.ts'
import { wantedOf } from './wanted.ts'

/**
 * An upload that is stored becomes an image to convert, one that is ready at once when its owner has
 * another one of the same bytes, or one that failed at once when its first bytes were seen and say so;
 * one that goes takes its renditions along, where no other image has the same ones.
 */
export function imageListener(queue: JobQueue, presets: readonly Preset[]): UploadListener {
  const wanted = wantedOf(presets)
  const convert = (imageId: string) => ({ imageId })
  return {
    headSize,
    examine: async ({ sha256, head }) => ({ sha256, ...(await examine(head)) }),
    typeOf: async (head) => (await sniff(head)).contentType,
    async stored(trx, { id, ...upload }, examined) {
      await createImage(trx, { id, ...upload }, examined)
      if (examined?.refusal) {
        await appendEvent(trx, 'image.failed', id, { code: examined.refusal.code })
        return []
      }
      const known = examined && { id, owner: upload.owner, sha256: examined.sha256 }
      if (known && (await becomeReadyAsTwin(trx, queue, known, wanted))) return []
      await queue.enqueue(trx, 'image.convert', convert(id), { dedupeKey: id })
      return ['image.convert']
    },
    async removing(trx, id) {
      await lockImage(trx, id)
      const { keys } = await removeRenditions(trx, id)
      // An attempt may be writing these. It removes them when it is through; should it never be,
      // the next one does.
      if ((await unusedObjects(trx, id)).some((key) => !keys.includes(key))) {
        await queue.enqueue(trx, 'image.convert', convert(id), { dedupeKey: id })
      }
      return forgetUnused(trx, keys)
    },
  }
}
