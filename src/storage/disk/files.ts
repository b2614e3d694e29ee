/** Files that are still there, and whole, after the power fails. */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rmdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { AppError, hasCode } from '../../errors.ts'
import { storageFull, storageUnavailable } from '../errors.ts'

const directoryAttempts = 5

/**
 * The file behind a key.
 * @throws AppError `bad-key` for a key that leaves the root: keys are our own, so that is a bug.
 */
export function pathUnder(root: string, key: string): string {
  const names = key.split('/')
  const proper = names.every((name) => /^[\w.-]+$/.test(name) && name !== '.' && name !== '..')
  if (!proper) throw new AppError('bad-key', 500, 'A storage key is malformed.', { cause: key })
  return join(root, ...names)
}

/** Runs something on files. Its system errors become those of storage. */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) throw error
    throw hasCode(error, 'ENOSPC', 'EDQUOT') ? storageFull(error) : storageUnavailable(error)
  }
}

/** Does several things at once. When one fails the others are waited for, and then it throws. */
export async function allOf<T extends readonly Promise<unknown>[] | []>(things: T) {
  await Promise.allSettled(things)
  return Promise.all(things)
}

/** Creates a directory, durably, and works in it; again when it was removed as empty meanwhile. */
export async function inDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await createDirectory(directory)
      return await work()
    } catch (error) {
      if (attempt === directoryAttempts || !hasCode(error, 'ENOENT')) throw error
    }
  }
}

async function createDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true })
  if (first === undefined) return
  const created = relative(dirname(first), directory).split(sep).slice(0, -1)
  let path = dirname(first)
  await syncDirectory(path)
  for (const name of created) {
    path = join(path, name)
    await syncDirectory(path)
  }
}

/** By directory: what is being synced, and what will be once that is done. */
const syncs = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>()

/**
 * Makes the names in a directory durable, as they are when it is called. Calls that come while it is
 * being synced share the next time.
 * @param opened the directory, if the caller has it open; it stays so.
 */
export function syncDirectory(directory: string, opened?: FileHandle): Promise<void> {
  const sync = syncs.get(directory)
  if (!sync) return startSync(directory, opened)
  sync.next ??= sync.running.then(
    () => startSync(directory),
    () => startSync(directory),
  )
  return sync.next
}

function startSync(directory: string, opened?: FileHandle): Promise<void> {
  const running = (opened ? opened.sync() : syncNow(directory)).finally(() => {
    if (!sync.next) syncs.delete(directory)
  })
  const sync = { running, next: undefined }
  syncs.set(directory, sync)
  return running
}

/** Opens a directory for `syncDirectory`, unless one who is syncing it just now will do so. */
export async function openToSync(directory: string): Promise<FileHandle | undefined> {
  return syncs.has(directory) ? undefined : open(directory, constants.O_RDONLY)
}

/** Closes a file that nothing was written to: nobody has to wait for that, or hear how it went. */
export function closeSoon(handle: FileHandle | undefined): void {
  handle?.close().catch(() => {})
}

async function syncNow(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    closeSoon(handle)
  }
}

/** Removes a directory and those above it, up to the root, as long as they are empty. */
export async function removeEmptyDirectories(root: string, directory: string): Promise<void> {
  for (let path = directory; path !== root && path.startsWith(root); path = dirname(path)) {
    try {
      await rmdir(path)
    } catch (error) {
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}

/** Writes all of the buffers at a position; returns how much of it was written before it failed. */
export async function writeAll(
  handle: FileHandle,
  buffers: readonly Buffer[],
  position: number,
): Promise<{ written: number; error?: unknown }> {
  let written = 0
  try {
    for (let rest = buffers; rest.length > 0; ) {
      const { bytesWritten } = await handle.writev(rest, position + written)
      written += bytesWritten
      rest = without(rest, bytesWritten)
    }
    return { written }
  } catch (error) {
    return { written, error }
  }
}

/** Buffers less their first bytes; none that is empty. */
function without(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skipped = 0
  let first = 0
  for (const buffer of buffers) {
    if (skipped + buffer.length > bytes) break
    skipped += buffer.length
    first += 1
  }
  const [cut, ...others] = buffers.slice(first)
  return cut ? [cut.subarray(bytes - skipped), ...others] : []
}
