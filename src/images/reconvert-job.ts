import type { Preset } from '../conversion/contract.ts'
import type { Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { AppError } from '../errors.ts'
import { type JobHandler, PermanentJobError } from '../queue/contract.ts'
import { amongOthers } from '../uploads/concat-locks.ts'
import { postponedByOutage } from '../uploads/outage.ts'
import type { ConvertDependencies } from './convert-job.ts'
import { borrowRenditions, findTwin } from './duplicates.ts'
import type { Image, Rendition } from './image.ts'
import { lendOriginal } from './lend-original.ts'
import { findImage, markChanged } from './records.ts'
import { lockImage } from './rendition-objects.ts'
import { insertRenditions, isCurrent, removeRenditions } from './rendition-records.ts'
import { removeAbandoned, removeUnused, storeRenditions } from './store-renditions.ts'
import { type Wanted, wantedOf } from './wanted.ts'

/** Who was told of an object right before it was replaced may be about to read it, by a link to the bucket too. */
const readersMs = 360_000

/**
 * Makes the renditions of one preset anew for an image that is ready, as the preset is in this process,
 * and leaves the others as they are. Those before are served until one transaction puts the new ones in
 * their place, under a revision that is one higher; their objects go once no other image refers to them.
 *
 * There is nothing to do for an image that has them as they should be, is gone or not ready, and for a
 * preset that is not configured.
 */
export function reconvertHandler(dependencies: ConvertDependencies): JobHandler<'image.reconvert'> {
  const { database, queue, presets } = dependencies
  return {
    kind: 'image.reconvert',
    async run({ imageId, preset: name }, { signal }) {
      const preset = presets.find((one) => one.name === name)
      const image = await findImage(database.queries, imageId)
      const wanted = preset && wantedOf([preset])
      if (image?.state !== 'ready' || !preset || !wanted || isCurrent(image, wanted)) {
        await amongOthers(database, (trx) => abandon(dependencies, trx, imageId, name))
        queue.wake('storage.remove')
        return
      }
      try {
        if (await swapForTwins(dependencies, image, wanted)) return
        await reconvert(dependencies, image, preset, wanted, signal)
      } catch (error) {
        throw permanentIfRefused(postponedByOutage(error))
      }
    },
    onDead: (trx, { imageId, preset }) => abandon(dependencies, trx, imageId, preset),
  }
}

async function abandon(
  { queue }: ConvertDependencies,
  trx: Transaction<Schema>,
  imageId: string,
  preset: string,
): Promise<void> {
  // What a conversion is about to store of an image that is not ready is that one's to clear away.
  if ((await lockImage(trx, imageId)) !== 'processing') {
    await removeAbandoned(queue, trx, imageId, preset)
  }
}

/** Where another image of the same bytes has them, nothing needs to be converted. */
async function swapForTwins(
  dependencies: ConvertDependencies,
  { id, owner, sha256 }: Image,
  wanted: readonly Wanted[],
): Promise<boolean> {
  const { database } = dependencies
  if (sha256 === undefined) return false
  const twin = await findTwin(database.queries, { id, owner, sha256 }, wanted)
  if (twin === undefined) return false
  const isDone = await amongOthers(database, async (trx) => {
    if ((await lockImage(trx, id)) !== 'ready') return false
    const renditions = await borrowRenditions(trx, twin, wanted)
    if (renditions) await swap(dependencies, trx, id, renditions)
    return renditions !== undefined
  })
  if (isDone) report(dependencies, id, wanted)
  return isDone
}

async function reconvert(
  dependencies: ConvertDependencies,
  image: Image,
  preset: Preset,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<void> {
  const isDone = await lendOriginal(
    dependencies,
    image,
    signal,
    async ({ input, outputDirectory }) => {
      const request = { input, outputDirectory, presets: [preset] }
      const result = await dependencies.converter.convert(request, signal)
      const storing = {
        ...({ imageId: image.id, state: 'ready', wanted, made: result.renditions } as const),
        commit: (trx: Transaction<Schema>, renditions: readonly Rendition[]) =>
          swap(dependencies, trx, image.id, renditions),
      }
      return storeRenditions(dependencies, storing, signal)
    },
  )
  if (isDone) report(dependencies, image.id, wanted)
}

/** Puts renditions of one preset in the place of those before. The image and their objects are locked. */
async function swap(
  { queue }: ConvertDependencies,
  trx: Transaction<Schema>,
  imageId: string,
  renditions: readonly Rendition[],
): Promise<void> {
  const preset = renditions[0]?.preset
  if (preset === undefined) return
  const { keys, revision } = await removeRenditions(trx, imageId, preset)
  const anew = renditions.map((one) => ({ ...one, revision: revision + 1 }))
  await insertRenditions(trx, imageId, anew)
  await markChanged(trx, imageId)
  await removeUnused(queue, trx, keys, readersMs)
  await removeAbandoned(queue, trx, imageId, preset)
}

function report(
  { queue, logger }: ConvertDependencies,
  imageId: string,
  wanted: readonly Wanted[],
): void {
  queue.wake('storage.remove')
  const preset = wanted[0]?.preset
  logger.info({ image: imageId, preset }, `image ${imageId} has its ${preset} anew`)
}

/** What is wrong with the file stays wrong. The image keeps what it has, and the operator the reason. */
function permanentIfRefused(error: unknown): unknown {
  return error instanceof AppError && error.status === 422
    ? new PermanentJobError(error.message, { cause: error })
    : error
}
