import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConversionResult, Converter, Preset } from '../conversion/contract.ts'
import { examine, headSize } from '../conversion/sniff.ts'
import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { AppError } from '../errors.ts'
import { appendEvent } from '../events/outbox.ts'
import type { Logger } from '../operations/logger.ts'
import type { JobHandler, JobQueue } from '../queue/contract.ts'
import type { ObjectStorage } from '../storage/contract.ts'
import { originalKey, renditionKey } from '../storage/keys.ts'
import { recordDigest } from '../uploads/ledger.ts'
import { postponedByOutage } from '../uploads/outage.ts'
import type { Image, Rendition } from './image.ts'
import { digest, localOriginal, readStart, sha256OfBytes } from './original.ts'
import { keysOf } from './presets.ts'
import { findImage, markFailed, markReady, type Original } from './records.ts'
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

type Failure = { readonly code: string; readonly message: string }

/**
 * Converts one image. Storage keys are deterministic and the records change in one transaction that
 * asks for `processing`, so running twice, or twice at the same time, comes to the same.
 *
 * A file that cannot be converted is a result, not an error: the image is `failed` and the job done.
 * Trouble with storage, disk or a child process is thrown and tried again.
 */
export function convertHandler(dependencies: ConvertDependencies): JobHandler<'image.convert'> {
  return {
    kind: 'image.convert',
    async run({ imageId }, { signal }) {
      try {
        await convertIfImage(dependencies, imageId, signal)
      } catch (error) {
        throw postponedByOutage(error)
      }
    },
    async onDead(trx, { imageId }) {
      await fail(trx, imageId, {
        code: 'conversion-failed',
        message: 'The image could not be converted after several attempts.',
      })
    },
  }
}

async function convertIfImage(
  dependencies: ConvertDependencies,
  imageId: string,
  signal: AbortSignal,
): Promise<void> {
  const { database, storage } = dependencies
  const image = await findImage(database.queries, imageId)
  if (!image) await forget(dependencies, imageId)
  if (image?.state !== 'processing') return
  // It was looked at when it arrived.
  if (image.sha256 !== undefined) return convert(dependencies, image, image.contentType, signal)
  const key = originalKey(imageId)
  const start = await readStart(storage, key, image.size, signal)
  const { contentType, refusal } = await examine(start.subarray(0, headSize))
  if (!refusal) return convert(dependencies, image, contentType, signal)
  // Known from the first bytes, so a film of many gigabytes is not copied to find out.
  const isAll = start.length === image.size
  const sha256 = isAll ? sha256OfBytes(start) : await digest(storage, key, signal)
  await settleFailed(dependencies, imageId, refusal, { sha256, contentType })
}

async function convert(
  dependencies: ConvertDependencies,
  image: Image,
  contentType: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { storage, converter, presets, directories } = dependencies
  await directories.lend(async (directory) => {
    const copy = join(directory, 'original')
    const { path: input, sha256 } = await localOriginal(
      storage,
      originalKey(image.id),
      copy,
      signal,
    )
    if (sha256 !== (image.sha256 ?? sha256)) throw otherBytes(dependencies, image.id)
    const outputDirectory = join(directory, 'renditions')
    await mkdir(outputDirectory)
    const original = { sha256, contentType }
    try {
      const result = await converter.convert({ input, outputDirectory, presets }, signal)
      await keep(dependencies, image.id, original, result)
    } catch (error) {
      await failOrThrow(dependencies, image.id, error, original)
    }
  })
}

/** May be a read that went wrong, so it is tried again. */
function otherBytes({ logger }: ConvertDependencies, imageId: string): AppError {
  const what = 'does not have the bytes that arrived'
  logger.error({ image: imageId }, `what storage gives as the original of ${imageId} ${what}`)
  return new AppError('storage-corrupt', 500, `The original ${what}.`)
}

/** Stores the renditions, then says so. */
async function keep(
  dependencies: ConvertDependencies,
  imageId: string,
  original: Original,
  result: ConversionResult,
): Promise<void> {
  const { database, storage, logger } = dependencies
  const renditions: Rendition[] = []
  for (const { path, sha256, ...rest } of result.renditions) {
    const key = renditionKey(imageId, rest.preset, rest.format)
    await storage.putFile(key, path, rest.contentType)
    renditions.push({ ...rest, key, etag: sha256 })
  }
  const kept = await database.transaction(async (trx) => {
    if (!(await markReady(trx, imageId, original, result, renditions))) return false
    await recordDigest(trx, imageId, original.sha256)
    await appendEvent(trx, 'image.ready', imageId, { renditions: renditions.length })
    return true
  })
  if (kept) logger.info({ image: imageId }, `image ${imageId} is ready`)
  else if (!(await findImage(database.queries, imageId))) await forget(dependencies, imageId)
}

/** An image deleted while it was converted: what this or an earlier attempt stored goes as well. */
async function forget(
  { database, queue, presets }: ConvertDependencies,
  imageId: string,
): Promise<void> {
  const keys = keysOf(presets, imageId)
  await database.transaction((trx) => queue.enqueue(trx, 'storage.remove', { keys }))
  queue.wake()
}

/** Failures of the file itself are a result: no retry can help them. */
async function failOrThrow(
  dependencies: ConvertDependencies,
  imageId: string,
  error: unknown,
  original: Original,
): Promise<void> {
  if (!(error instanceof AppError && error.status === 422)) throw error
  await settleFailed(dependencies, imageId, error, original)
}

async function settleFailed(
  { database, logger }: ConvertDependencies,
  imageId: string,
  failure: Failure,
  original: Original,
): Promise<void> {
  await database.transaction((trx) => fail(trx, imageId, failure, original))
  const { code, message } = failure
  logger.info({ image: imageId, code }, `image ${imageId} failed: ${message}`)
}

async function fail(
  trx: Transaction<Schema>,
  imageId: string,
  failure: Failure,
  original?: Original,
): Promise<void> {
  if (!(await markFailed(trx, imageId, failure, original))) return
  if (original) await recordDigest(trx, imageId, original.sha256)
  await appendEvent(trx, 'image.failed', imageId, { code: failure.code })
}
