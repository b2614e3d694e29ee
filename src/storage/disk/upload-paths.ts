/**
 * Where the bytes of an upload are: under a name that ends in `.partial` until it is whole, so that
 * no reader takes a part of an object for the object, as on S3.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../../errors.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import { allOf, inDirectory, onDisk, pathUnder, syncDirectory } from './files.ts'
import { sizeOf } from './objects.ts'

export interface UploadPaths {
  readonly whole: string
  readonly partial: string
}

export function uploadPaths(root: string, id: string): UploadPaths {
  const whole = pathUnder(root, originalKey(id))
  return { whole, partial: `${whole}.partial` }
}

/**
 * Opens the file that holds the `offset` recorded bytes and nothing else; for an offset of 0 always
 * a new one, whose name is not durable yet.
 *
 * The offset may be stale, and what is beyond it recorded by somebody else. So nothing is removed
 * before `confirm` has asked the ledger, which is only needed after a crash or a lost lease.
 * @param confirm throws when the caller may not write, or more is recorded.
 * @throws AppError `upload-lost` (410)
 */
export function openPartial(
  paths: UploadPaths,
  offset: number,
  confirm: () => Promise<void>,
): Promise<FileHandle> {
  return offset === 0 ? openNew(paths, confirm) : openRecorded(paths, offset, confirm)
}

async function openNew({ partial }: UploadPaths, confirm: () => Promise<void>) {
  const first = await onDisk(() => createNew(partial))
  if (first) return first
  await confirm()
  // Not cut but replaced: a writer that lost its lease and does not know yet has the old file.
  await onDisk(() => rm(partial, { force: true }))
  const second = await onDisk(() => createNew(partial))
  if (second) return second
  throw storageUnavailable(new Error(`${partial} was created by somebody else`))
}

async function openRecorded(paths: UploadPaths, offset: number, confirm: () => Promise<void>) {
  const handle = (await onDisk(() => openIfThere(paths.partial))) ?? (await reopen(paths, confirm))
  try {
    const { size } = await onDisk(() => handle.stat())
    if (size < offset) throw uploadLost(new Error(`${size} bytes of ${offset} are there`))
    if (size > offset) {
      await confirm()
      await onDisk(() => handle.truncate(offset))
    }
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** A crash can come after the file got its final name and before the ledger was told. */
async function reopen({ partial, whole }: UploadPaths, confirm: () => Promise<void>) {
  await confirm()
  return onDisk(async () => {
    try {
      await rename(whole, partial)
      await syncDirectory(dirname(partial))
      return await open(partial, 'r+')
    } catch (error) {
      throw hasCode(error, 'ENOENT') ? uploadLost(error) : error
    }
  })
}

/**
 * Gives the file, whose content is durable, its final name, durably. Safe to call again, and at the
 * same time.
 * @throws AppError `upload-lost` (410) when what is there then is not `size` bytes long.
 */
export async function moveIntoPlace({ partial, whole }: UploadPaths, size: number): Promise<void> {
  let missing: unknown
  try {
    await rename(partial, whole)
  } catch (error) {
    // Renamed already, by an earlier call or by one that runs at the same time.
    if (!hasCode(error, 'ENOENT')) throw error
    missing = error
  }
  // Without the file its directory may be missing, too, which would say less.
  if (missing && !(await sizeOf(whole))) throw uploadLost(missing)
  const [found] = await allOf([sizeOf(whole), syncDirectory(dirname(whole))])
  if (found?.size !== size) {
    throw uploadLost(missing ?? new Error(`${found?.size} bytes of ${size} are there`))
  }
}

/** Makes the names of an upload's files durable. */
export function syncNames({ partial }: UploadPaths): Promise<void> {
  return syncDirectory(dirname(partial))
}

/** Creates the file, and directories as needed; undefined when it is there already. */
export async function createNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined
    if (!hasCode(error, 'ENOENT')) throw error
  }
  return inDirectory(dirname(path), () => open(path, 'wx'))
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}
