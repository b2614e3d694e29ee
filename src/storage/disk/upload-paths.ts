/**
 * Where the bytes of an upload are: under a name that ends in `.partial`, until the last of them
 * come. After a crash or on a full disk there may be less under the final name than all of it; the
 * ledger knows, and who goes on gives it the first name again.
 */
import { fstatSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../../errors.ts'
import type { UploadPosition } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import {
  allOf,
  closeSoon,
  inDirectory,
  onDisk,
  openToSync,
  pathUnder,
  syncDirectory,
} from './files.ts'
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
  { offset, untouchedUntil = 0 }: Pick<UploadPosition, 'offset' | 'untouchedUntil'>,
  confirm: () => Promise<void>,
): Promise<FileHandle> {
  if (offset > 0) return openRecorded(paths, offset, confirm)
  return openNew(paths, performance.now() < untouchedUntil, confirm)
}

async function openNew(paths: UploadPaths, isUntouched: boolean, confirm: () => Promise<void>) {
  const { partial, whole } = paths
  const first = await onDisk(() => (isUntouched ? createNew(partial) : createAlone(paths)))
  if (first) return first
  await confirm()
  // Not cut but replaced: a writer that lost its lease and does not know yet has the old file.
  await onDisk(() => allOf([rm(partial, { force: true }), rm(whole, { force: true })]))
  const second = await onDisk(() => createNew(partial))
  if (second) return second
  throw storageUnavailable(new Error(`${partial} was created by somebody else`))
}

/**
 * Undefined when there is a file of the upload already. One under the final name may be what a crash
 * left, which takes room, or all of the upload, stored by somebody else.
 */
async function createAlone({ partial, whole }: UploadPaths): Promise<FileHandle | undefined> {
  const creating = createNew(partial)
  const [there] = await Promise.allSettled([sizeOf(whole), creating])
  const handle = await creating
  if (!handle || (there.status === 'fulfilled' && !there.value)) return handle
  await handle.close()
  if (there.status === 'rejected') throw there.reason
  return undefined
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
export async function moveIntoPlace(paths: UploadPaths, size: number): Promise<void> {
  await renameToWhole(paths)
  const [found] = await allOf([sizeOf(paths.whole), syncDirectory(dirname(paths.whole))])
  if (found?.size !== size) {
    throw uploadLost(new Error(`${found?.size} bytes of ${size} are there`))
  }
}

/**
 * Gives the file its final name, while its last bytes may still be on their way into it: until it is
 * recorded that the file is whole, the name says nothing. Returns the directory if it was worth to
 * open it meanwhile, for `makeWhole`.
 * @throws AppError `upload-lost` (410) when the file is under neither name.
 */
export async function nameWhole(paths: UploadPaths): Promise<FileHandle | undefined> {
  const opening = openToSync(dirname(paths.whole))
  const [renamed] = await Promise.allSettled([renameToWhole(paths), opening])
  if (renamed.status === 'fulfilled') return opening
  opening.then(closeSoon, () => {})
  throw renamed.reason
}

/**
 * Makes the content of a file durable together with its final name: the file system then has to
 * write its journal once.
 * @throws AppError `upload-lost` (410) when the file is not `size` bytes long, or not under that name.
 */
export async function makeWhole(
  { whole }: UploadPaths,
  directory: FileHandle | undefined,
  content: FileHandle,
  size: number,
  whileWaiting: () => void,
): Promise<void> {
  const durable = allOf([content.datasync(), syncDirectory(dirname(whole), directory)])
  whileWaiting()
  await durable
  // Of an open file the system knows this without asking the disk.
  const found = fstatSync(content.fd)
  // Without a name it was replaced by another file, which then is what got the final one.
  if (found.size !== size || found.nlink === 0) {
    throw uploadLost(new Error(`${found.size} bytes of ${size} under ${found.nlink} names`))
  }
}

async function renameToWhole({ partial, whole }: UploadPaths): Promise<void> {
  try {
    await rename(partial, whole)
  } catch (error) {
    // Renamed already, by an earlier call or by one that runs at the same time; or gone.
    if (!hasCode(error, 'ENOENT')) throw error
    if (!(await sizeOf(whole))) throw uploadLost(error)
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
