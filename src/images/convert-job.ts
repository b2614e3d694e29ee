import type { Converter, Preset } from '../conversion/contract.ts'
import { examine, headSize } from '../conversion/sniff.ts'
import { largestOriginal, megabytes } from '../conversion/too-large.ts'
import type { Database } from '../database/database.ts'
import { AppError } from '../errors.ts'
import { appendEvent } from '../events/outbox.ts'
import type { Logger } from '../operations/logger.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import type { ObjectStorage } from '../storage/contract.ts'
import { originalKey } from '../storage/keys.ts'
import { recordDigest } from '../uploads/ledger.ts'
import { postponedByOutage } from '../uploads/outage.ts'
import { settleAsTwin } from './duplicates.ts'
import { type Failure, fail, gaveUp } from './fail.ts'
import type { Image } from './image.ts'
import { type LentOriginal, lendOriginal } from './lend-original.ts'
import { digest, readStart, sha256OfBytes } from './original.ts'
import { findImage, foundBy, markReady, markUnfailed, type Original } from './records.ts'
import { removeAbandoned, storeRenditions } from './store-renditions.ts'
import { Turns } from './turns.ts'
import { type Wanted, wantedOf } from './wanted.ts'
import type { WorkDirectories } from './work-directory.ts'

export interface ConvertDependencies {
  readonly database: Database
  readonly storage: ObjectStorage
  readonly queue: JobQueue
  readonly converter: Converter
  readonly presets: readonly Preset[]
  readonly directories: WorkDirectories
  readonly logger: Logger
}

interface Context extends ConvertDependencies {
  readonly wanted: readonly Wanted[]
  /** Of those that convert the same bytes. */
  readonly turns: Turns
}

/**
 * Converts one image. The objects are named before they are written, and the records change in one
 * transaction that asks for `processing`, so running twice, or twice at the same time, comes to the
 * same. Where the owner has another image of the same bytes, its renditions are taken instead.
 *
 * A file that cannot be converted is a result, not an error: the image is `failed` and the job done.
 * Trouble with storage, disk or a child process is thrown and tried again. For an image that is gone
 * it has removed what earlier attempts wrote.
 */
export function convertHandler(dependencies: ConvertDependencies): JobHandler<'image.convert'> {
  const { queue, presets } = dependencies
  const context = { ...dependencies, wanted: wantedOf(presets), turns: new Turns() }
  return {
    kind: 'image.convert',
    async run({ imageId }, { signal }) {
      try {
        await convertIfImage(context, imageId, signal)
      } catch (error) {
        throw postponedByOutage(error)
      }
    },
    onDead: (trx, { imageId }) => fail(trx, queue, imageId, gaveUp),
    onRevived: (trx, { imageId }) => markUnfailed(trx, imageId, gaveUp.code),
  }
}

async function convertIfImage(
  context: Context,
  imageId: string,
  signal: AbortSignal,
): Promise<void> {
  const { database, queue, storage } = context
  const image = await findImage(database.queries, imageId)
  if (!image) {
    await database.transaction((trx) => removeAbandoned(queue, trx, imageId))
    queue.wake('storage.remove')
  }
  if (image?.state !== 'processing') return
  // It was looked at when it arrived.
  if (image.sha256 !== undefined) return convertKnown(context, image, image.sha256, signal)
  const key = originalKey(imageId)
  const start = await readStart(storage, key, image.size, signal)
  const { contentType, refusal = tooLong(image) } = await examine(start.subarray(0, headSize))
  if (!refusal) return convertUnknown(context, image, contentType, signal)
  // Known from the first bytes, so a film of many gigabytes is not copied to find out.
  const isAll = start.length === image.size
  const sha256 = isAll ? sha256OfBytes(start) : await digest(storage, key, signal)
  await settleFailed(context, imageId, refusal, { sha256, contentType })
}

/** No picture is that much, whatever its first bytes say, so it is not copied to find out. */
function tooLong({ size }: Image): Failure | undefined {
  if (size <= largestOriginal) return undefined
  const [found, most] = [size, largestOriginal].map(megabytes)
  return {
    code: 'image-too-large',
    message: `The file has ${found}; at most ${most} are converted.`,
  }
}

/** What its bytes are is known, so they are read only if they have to be converted. */
function convertKnown(
  context: Context,
  image: Image,
  sha256: string,
  signal: AbortSignal,
): Promise<void> {
  const { contentType } = image
  return unlessTwin(context, image, sha256, signal, () =>
    lendOriginal(context, image, signal, (lent) =>
      convert(context, image.id, { sha256, contentType }, lent, signal),
    ),
  )
}

function convertUnknown(
  context: Context,
  image: Image,
  contentType: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  return lendOriginal(context, image, signal, (lent) =>
    unlessTwin(context, image, lent.sha256, signal, () =>
      convert(context, image.id, { sha256: lent.sha256, contentType }, lent, signal),
    ),
  )
}

/** Who comes second with the same bytes waits for the first, and then has no need to convert. */
function unlessTwin(
  context: Context,
  { id, owner }: Image,
  sha256: string,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const { turns, wanted, logger } = context
  return turns.run(`${sha256} ${owner}`, signal, async () => {
    if (!(await settleAsTwin(context, { id, owner, sha256 }, wanted))) return work()
    logger.info({ image: id }, `image ${id} is ready, by what was made of the same bytes before`)
  })
}

async function convert(
  context: Context,
  imageId: string,
  original: Original,
  { input, outputDirectory }: LentOriginal,
  signal: AbortSignal,
): Promise<void> {
  const { converter, presets, queue, logger, wanted } = context
  try {
    const result = await converter.convert({ input, outputDirectory, presets }, signal)
    const isReady = await storeRenditions(
      context,
      {
        ...{ imageId, state: 'processing', wanted, made: result.renditions },
        async commit(trx, renditions) {
          await markReady(trx, imageId, foundBy(original, result), renditions)
          await removeAbandoned(queue, trx, imageId)
          await recordDigest(trx, imageId, original.sha256)
          await appendEvent(trx, 'image.ready', imageId, { renditions: renditions.length })
        },
      },
      signal,
    )
    if (isReady) logger.info({ image: imageId }, `image ${imageId} is ready`)
  } catch (error) {
    await failOrThrow(context, imageId, error, original)
  }
}

/** Failures of the file itself are a result: no retry can help them. */
async function failOrThrow(
  context: Context,
  imageId: string,
  error: unknown,
  original: Original,
): Promise<void> {
  if (!(error instanceof AppError && error.status === 422)) throw error
  await settleFailed(context, imageId, error, original)
}

async function settleFailed(
  { database, queue, logger }: Context,
  imageId: string,
  failure: Failure,
  original: Original,
): Promise<void> {
  await database.transaction((trx) => fail(trx, queue, imageId, failure, original))
  const { code, message } = failure
  logger.info({ image: imageId, code }, `image ${imageId} failed: ${message}`)
}
