import { constants, stat as statCallback } from 'node:fs'
import {
  access,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { hasCode, messageOf } from '../../errors.ts'
import { newId } from '../../ids.ts'
import type { ByteRange, LocalFiles, ObjectStorage } from '../contract.ts'
import { objectNotFound, rangeNotSatisfiable, storageUnusable } from '../errors.ts'
import {
  inDirectory,
  onDisk,
  pathUnder,
  removeEmptyDirectories,
  syncDirectory,
  writeAll,
} from './files.ts'

/** Files being written; not a name a key can begin with. What a crash leaves here is swept. */
const temporaryDirectory = '.tmp'

/**
 * Objects as files under a directory, which must be one file system: a file is written under
 * another name, synced and then renamed, so that a reader sees all of it or none.
 */
export function createDiskObjects(root: string): ObjectStorage & LocalFiles {
  const pathOf = (key: string) => pathUnder(root, key)
  return {
    describe: () => `disk ${root}`,
    check: () => checkDirectory(root),
    ping: () => onDisk(() => access(root, constants.R_OK | constants.W_OK)),
    put: (key, body) => onDisk(() => replace(root, pathOf(key), (path) => writeFile(path, body))),
    putFile: (key, source) =>
      onDisk(() =>
        replace(root, pathOf(key), (path) => copyFile(source, path, constants.COPYFILE_FICLONE)),
      ),
    head: (key) => onDisk(() => sizeOf(pathOf(key))),
    read: (key, range, signal) => onDisk(() => openForReading(pathOf(key), range, signal)),
    remove: (keys) => onDisk(() => removeFiles(root, keys.map(pathOf))),
    close: async () => {},
    pathOf,
  }
}

/** Removes files and the directories that become empty by it. */
export async function removeFiles(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true })
    await removeEmptyDirectories(root, dirname(path))
  }
}

/** The size of the file at a path, or undefined when there is none. */
export function sizeOf(path: string): Promise<{ size: number } | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<{ size: number } | undefined>()
  // Asked for each new upload, where the answer is no: as a promise an error costs more than to ask.
  statCallback(path, (error, stats) => {
    if (!error) resolve({ size: stats.size })
    else if (hasCode(error, 'ENOENT', 'ENOTDIR')) resolve(undefined)
    else reject(error)
  })
  return promise
}

async function replace(
  root: string,
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = join(root, temporaryDirectory, newId())
  try {
    await mkdir(dirname(temporary), { recursive: true })
    await write(temporary)
    await syncFile(temporary)
    await inDirectory(dirname(path), () => rename(temporary, path))
    await syncDirectory(dirname(path)).catch((error) => {
      // The object was removed again meanwhile, and with it the directory.
      if (!hasCode(error, 'ENOENT')) throw error
    })
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function writeFile(path: string, body: Buffer): Promise<void> {
  await withFile(path, 'wx', async (handle) => {
    const { error } = await writeAll(handle, [body], 0)
    if (error) throw error
  })
}

async function syncFile(path: string): Promise<void> {
  await withFile(path, 'r+', (handle) => handle.sync())
}

async function withFile(
  path: string,
  flags: string,
  work: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(path, flags)
  try {
    await work(handle)
  } finally {
    await handle.close()
  }
}

async function openForReading(
  path: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  const handle = await open(path, 'r').catch((error) => {
    throw hasCode(error, 'ENOENT', 'ENOTDIR') ? objectNotFound(error) : error
  })
  try {
    const { size } = await handle.stat()
    if (range && range.start >= size) throw rangeNotSatisfiable()
    return handle.createReadStream({ ...range, ...(signal && { signal }) })
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function checkDirectory(root: string): Promise<void> {
  try {
    const probe = join(root, temporaryDirectory, newId())
    await mkdir(dirname(probe), { recursive: true })
    await writeFile(probe, Buffer.from('probe'))
    await syncFile(probe)
    await unlink(probe)
    await sweep(dirname(probe))
  } catch (error) {
    throw storageUnusable(`DATA_DIR: ${root} cannot be written: ${messageOf(error)}`, error)
  }
}

/** Removes what an earlier run of the program left: the directory is one program's at a time. */
async function sweep(directory: string): Promise<void> {
  const started = Date.now() - process.uptime() * 1_000
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    const file = await stat(path).catch(() => undefined)
    if (file && file.mtimeMs < started) await rm(path, { force: true })
  }
}
