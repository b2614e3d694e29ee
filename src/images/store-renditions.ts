import type { ConvertedRendition } from '../conversion/contract.ts'
import type { Database, Transaction } from '../database/database.ts'
import type { ImageState, Schema } from '../database/schema.ts'
import type { Logger } from '../operations/logger.ts'
import { type JobQueue, PostponedJobError } from '../queue/contract.ts'
import type { ObjectStorage } from '../storage/contract.ts'
import { amongOthers } from '../uploads/concat-locks.ts'
import type { Rendition } from './image.ts'
import {
  type Asked,
  forgetUnused,
  lockImage,
  lockObjects,
  type NamedObject,
  recordObjects,
  unusedObjects,
} from './rendition-objects.ts'
import type { Wanted } from './wanted.ts'

export interface StoreDependencies {
  readonly database: Database
  readonly storage: ObjectStorage
  readonly queue: JobQueue
  readonly logger: Logger
}

export interface Storing {
  readonly imageId: string
  /** What the image has to be while it gets them. */
  readonly state: ImageState
  readonly wanted: readonly Wanted[]
  readonly made: readonly ConvertedRendition[]
  /** Makes them the image's; the image and their objects are locked. */
  readonly commit: (trx: Transaction<Schema>, renditions: readonly Rendition[]) => Promise<void>
}

/**
 * Removed once more so long after: by then has landed what an attempt was writing whose process is gone.
 */
const againMs = 120_000

/**
 * Names the objects, writes them, and makes them the image's. Returns false when the image is gone or
 * not in that state any more; then nothing of them stays. When it throws, the next attempt finds what
 * this one named.
 */
export async function storeRenditions(
  dependencies: StoreDependencies,
  storing: Storing,
  signal: AbortSignal,
): Promise<boolean> {
  const { database, storage } = dependencies
  const { imageId, state, wanted, made, commit } = storing
  const asked = askedOf(wanted, made)
  const objects = await amongOthers(database, async (trx) =>
    (await lockImage(trx, imageId)) === state ? recordObjects(trx, imageId, asked) : undefined,
  )
  if (!objects) return false
  const keys = objects.map(({ key }) => key)
  try {
    const renditions: Rendition[] = []
    for (const object of objects) {
      const { path, sha256, ...rest } = madeFor(object, made)
      signal.throwIfAborted()
      await storage.putFile(object.key, path, rest.contentType)
      const { key, fingerprint } = object
      renditions.push({ ...rest, key, fingerprint, etag: sha256, revision: 1 })
    }
    const kept = await amongOthers(database, async (trx) => {
      if ((await lockImage(trx, imageId)) !== state) return false
      if (!(await lockObjects(trx, keys))) {
        throw new PostponedJobError('what it wrote was given up by another attempt meanwhile')
      }
      await commit(trx, renditions)
      return true
    })
    if (!kept) await removeUnrecorded(dependencies, imageId, keys)
    return kept
  } catch (error) {
    await removeUnrecorded(dependencies, imageId, keys).catch((failure: unknown) =>
      dependencies.logger.warn({ err: failure, image: imageId }, 'what was written is left to be'),
    )
    throw error
  }
}

/** Every preset was made in one format at least. */
function askedOf(wanted: readonly Wanted[], made: readonly ConvertedRendition[]): Asked[] {
  return wanted.flatMap((one) => {
    const formats = made.filter(({ preset }) => preset === one.preset)
    if (formats.length === 0) throw new Error(`the conversion made no ${one.preset}`)
    return formats.map(({ format }) => ({ ...one, format }))
  })
}

function madeFor(
  { preset, format }: NamedObject,
  made: readonly ConvertedRendition[],
): ConvertedRendition {
  const found = made.find((one) => one.preset === preset && one.format === format)
  if (!found) throw new Error(`the conversion made no ${preset} as ${format}`)
  return found
}

/** Nobody else knows of objects that are recorded no more, and no attempt comes to use those of an image that is gone. */
async function removeUnrecorded(
  { database, queue }: StoreDependencies,
  imageId: string,
  keys: readonly string[],
): Promise<void> {
  const removed = await amongOthers(database, async (trx) => {
    const state = await lockImage(trx, imageId)
    const areRecorded = await lockObjects(trx, keys)
    if (areRecorded && state !== undefined) return 0
    return removeUnused(queue, trx, keys)
  })
  if (removed > 0) queue.wake('storage.remove')
}

/** Has those of the objects removed that no rendition refers to, after a time. Returns how many. */
export async function removeUnused(
  queue: JobQueue,
  trx: Transaction<Schema>,
  objects: readonly string[],
  afterMs = 0,
): Promise<number> {
  const keys = await forgetUnused(trx, objects)
  const runAt = Date.now() + afterMs
  if (keys.length > 0) await queue.enqueue(trx, 'storage.remove', { keys }, { runAt })
  return keys.length
}

/**
 * Has the objects removed that earlier attempts named for an image, or for one preset of it, and did
 * not come to use. They may be at it yet. Lock the image first, if it is there.
 */
export async function removeAbandoned(
  queue: JobQueue,
  trx: Transaction<Schema>,
  imageId: string,
  preset?: string,
): Promise<void> {
  const keys = await forgetUnused(trx, await unusedObjects(trx, imageId, preset))
  if (keys.length === 0) return
  await queue.enqueue(trx, 'storage.remove', { keys })
  const runAt = Date.now() + againMs
  await queue.enqueue(trx, 'storage.remove', { keys }, { runAt })
}
