/** Uploads as files that are written in place and renamed when they are whole. */
import { open } from 'node:fs/promises'
import { ArrivingBody } from '../arriving-body.ts'
import type { UploadPosition, UploadStorage } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { onDisk } from './files.ts'
import { removeFiles, sizeOf } from './objects.ts'
import { ReadAhead } from './read-ahead.ts'
import { UploadFile, type UploadFileOptions } from './upload-file.ts'
import { createNew, moveIntoPlace, type UploadPaths, uploadPaths } from './upload-paths.ts'

export function createDiskUploads(root: string): UploadStorage {
  const pathsOf = (position: UploadPosition) => uploadPaths(root, position.id)
  return {
    append: (position, body, record, signal, whileWaiting = () => {}) =>
      append({ paths: pathsOf(position), position, record, signal, whileWaiting }, body),
    complete: (position) => onDisk(() => complete(pathsOf(position), position.offset)),
    discard: (position) => {
      const { whole, partial } = pathsOf(position)
      return onDisk(() => removeFiles(root, [partial, whole]))
    },
  }
}

async function append(
  options: Omit<UploadFileOptions, 'onFailure'>,
  body: AsyncIterable<Buffer>,
): Promise<number> {
  const { position, signal } = options
  const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
  const batches = new ReadAhead(arriving, () => void file.open().catch(() => {}))
  const onFailure = (error: unknown) => batches.interrupt(error)
  const onAbort = () => batches.interrupt(signal.reason)
  const file = new UploadFile({ ...options, onFailure })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    for (let batch = await batches.next(); batch; batch = await batches.next()) {
      await file.write(batch)
    }
    await file.finish()
  } finally {
    signal.removeEventListener('abort', onAbort)
    try {
      await batches.stop()
    } finally {
      await file.close()
    }
  }
  arriving.throwIfFailed()
  return file.recorded
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
