import { z } from 'zod'
import { AppError } from '../../errors.ts'
import type { Storage } from '../../storage/contract.ts'
import { type DirectUploads, hasDirectUploads } from '../../storage/direct-uploads.ts'
import { incomingIdOf } from '../../storage/keys.ts'
import type { CompleteLink } from './complete.ts'

const atOnce = 8
/** S3 puts one into a notification, others a few. */
const mostRecords = 1_000

const record = z.object({
  eventName: z.string(),
  s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
})
/** From S3 and from what speaks its protocol (MinIO, Ceph). */
const notification = z.object({ Records: z.array(z.unknown()) })
/** From Amazon EventBridge. */
const event = z.object({
  'detail-type': z.literal('Object Created'),
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({ key: z.string() }),
  }),
})

interface Created {
  readonly bucket: string
  readonly key: string
}

/**
 * Takes what storage tells of objects that came to be. Nothing in it is believed: what is named there
 * and belongs to an upload by link is looked at, as if its client had confirmed it.
 * @throws AppError of 5xx when that cannot be done now, so that the sender repeats it.
 */
export type TakeStorageEvent = (message: unknown) => Promise<void>

export function createTakeStorageEvent(storage: Storage, complete: CompleteLink): TakeStorageEvent {
  return async (message) => {
    if (!hasDirectUploads(storage)) return
    const ids = new Set(readCreated(message).flatMap((created) => idsOf(storage, created)))
    const waiting = ids.values()
    const failures: unknown[] = []
    async function work(): Promise<void> {
      for (const id of waiting) await complete(id).catch((error) => failures.push(error))
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, ids.size) }, work))
    const failed = failures.find((error) => !(error instanceof AppError) || error.status >= 500)
    if (failed) throw failed
  }
}

/** The objects that a message says were made. */
function readCreated(message: unknown): Created[] {
  const { detail } = event.safeParse(message).data ?? {}
  if (detail) return [{ bucket: detail.bucket.name, key: detail.object.key }]
  const { Records: records = [] } = notification.safeParse(message).data ?? {}
  return records.slice(0, mostRecords).flatMap((each) => {
    const { eventName = '', s3 } = record.safeParse(each).data ?? {}
    const isCreated = /^(s3:)?ObjectCreated:/.test(eventName)
    return s3 && isCreated ? [{ bucket: s3.bucket.name, key: s3.object.key }] : []
  })
}

/** Keys are encoded as in forms, except by EventBridge and some services; only ours is ever one of ours. */
function idsOf(storage: DirectUploads, { bucket, key }: Created): string[] {
  return [...new Set([key, decode(key)])].flatMap((each) => {
    const own = storage.keyOf(bucket, each)
    return (own !== undefined && incomingIdOf(own)) || []
  })
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return key
  }
}
