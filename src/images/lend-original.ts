import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import { hasLocalFiles, type ObjectStorage } from '../storage/contract.ts'
import { originalKey } from '../storage/keys.ts'
import type { Image } from './image.ts'
import { localOriginal } from './original.ts'
import type { WorkDirectories } from './work-directory.ts'

export interface LendDependencies {
  readonly storage: ObjectStorage
  readonly directories: WorkDirectories
  readonly logger: Logger
}

/** An original on this machine, and an empty directory, for as long as a job needs them. */
export interface LentOriginal {
  /** A file with its bytes. It is read only. */
  readonly input: string
  readonly outputDirectory: string
  /** Of its bytes, in hex. */
  readonly sha256: string
}

/**
 * Left on the disk for others, as the database may be there, which uploads cannot do without: bytes,
 * or a share of a small disk.
 */
const reserve = { bytes: 256 * 2 ** 20, share: 0.1 }

/**
 * Lends an image's original to `work`, and clears away afterwards, whatever happened.
 * @throws AppError `storage-corrupt` (500) when the bytes are not those that arrived, `storage-full`
 *   (507) when there is no room for a copy of them.
 */
export function lendOriginal<T>(
  { storage, directories, logger }: LendDependencies,
  image: Image,
  signal: AbortSignal,
  work: (original: LentOriginal) => Promise<T>,
): Promise<T> {
  return directories.lend(async (directory) => {
    const copy = join(directory, 'original')
    const key = originalKey(image.id)
    if (!hasLocalFiles(storage)) await requireRoom(directory, image.size)
    const { path: input, sha256 } = await localOriginal(storage, key, copy, signal)
    if (sha256 !== (image.sha256 ?? sha256)) throw otherBytes(logger, image.id)
    const outputDirectory = join(directory, 'renditions')
    await mkdir(outputDirectory)
    return work({ input, outputDirectory, sha256 })
  })
}

/** Said before it is filled, which would be too late for whatever else writes there. */
async function requireRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(directory)
  const free = bavail * bsize
  if (bytes + Math.min(reserve.bytes, blocks * bsize * reserve.share) <= free) return
  const cause = new Error(`${bytes} bytes to copy, ${free} free at ${directory}`)
  throw new AppError('storage-full', 507, 'There is no room for a copy of the original.', { cause })
}

/** May be a read that went wrong, so it is tried again. */
function otherBytes(logger: Logger, imageId: string): AppError {
  const what = 'does not have the bytes that arrived'
  logger.error({ image: imageId }, `what storage gives as the original of ${imageId} ${what}`)
  return new AppError('storage-corrupt', 500, `The original ${what}.`)
}
