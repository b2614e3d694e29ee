/** Uploads as files that are written in place and renamed when they are whole. */
import { open } from 'node:fs/promises'
import type { UploadPosition, UploadStorage } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { append } from './append.ts'
import { concatenate } from './concatenate.ts'
import { onDisk } from './files.ts'
import { removeFiles, sizeOf } from './objects.ts'
import { createNew, moveIntoPlace, type UploadPaths, uploadPaths } from './upload-paths.ts'

export function createDiskUploads(root: string): UploadStorage {
  const pathsOf = (position: UploadPosition) => uploadPaths(root, position.id)
  return {
    append: (position, body, record, signal, options) =>
      append({ paths: pathsOf(position), position, record, signal }, body, options),
    concatenate: (position, sources, record, signal) =>
      concatenate({ paths: pathsOf(position), position, record, signal }, root, sources),
    complete: (position) => onDisk(() => complete(pathsOf(position), position.offset)),
    discard: (position) => {
      const { whole, partial } = pathsOf(position)
      return onDisk(() => removeFiles(root, [partial, whole]))
    },
  }
}

/** What was recorded is durable already, so that only its name has to be. */
async function complete(paths: UploadPaths, size: number): Promise<void> {
  const found = await sizeOf(paths.partial)
  if (found && found.size < size) {
    throw uploadLost(new Error(`${found.size} bytes of ${size} are there`))
  }
  if (found && found.size > size) await cutTo(paths.partial, size)
  if (!found && size === 0) await createEmpty(paths)
  await moveIntoPlace(paths, size)
}

async function cutTo(path: string, size: number): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.truncate(size)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** An upload without bytes has no file yet. */
async function createEmpty({ partial, whole }: UploadPaths): Promise<void> {
  if (await sizeOf(whole)) return
  const handle = await createNew(partial)
  await handle?.sync()
  await handle?.close()
}
