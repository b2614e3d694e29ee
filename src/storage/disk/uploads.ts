/**
 * Uploads as files that are written in place and renamed when they are whole. Until then the name
 * ends in `.partial`, so that no reader takes a part of an object for the object, as on S3.
 */
import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../../errors.ts'
import { ArrivingBody } from '../arriving-body.ts'
import type { RecordProgress, UploadPosition, UploadStorage } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import { onDisk, openOrCreate, pathUnder, syncDirectory, writeAt } from './files.ts'
import { removeFiles, sizeOf } from './objects.ts'

/** What may be written and not yet recorded. */
const unrecordedLimit = 16 * 2 ** 20

export function createDiskUploads(root: string): UploadStorage {
  const pathsOf = (position: UploadPosition) => {
    const whole = pathUnder(root, originalKey(position.id))
    return { whole, partial: `${whole}.partial` }
  }
  return {
    append: (position, body, record) => append(pathsOf(position).partial, position, body, record),
    complete: (position) => onDisk(() => complete(pathsOf(position), position.offset)),
    discard: (position) => {
      const { whole, partial } = pathsOf(position)
      return onDisk(() => removeFiles(root, [partial, whole]))
    },
  }
}

async function append(
  path: string,
  position: UploadPosition,
  body: AsyncIterable<Buffer>,
  record: RecordProgress,
): Promise<number> {
  const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
  const writer = new FileWriter(path, position.offset, record)
  try {
    for await (const chunk of arriving.chunks()) await writer.write(chunk)
    await writer.commit()
  } finally {
    await writer.close()
  }
  arriving.throwIfFailed()
  return writer.recorded
}

class FileWriter {
  readonly #path: string
  readonly #record: RecordProgress
  #handle: FileHandle | undefined
  #written: number
  #recorded: number

  constructor(path: string, offset: number, record: RecordProgress) {
    this.#path = path
    this.#record = record
    this.#written = offset
    this.#recorded = offset
  }

  get recorded(): number {
    return this.#recorded
  }

  async write(chunk: Buffer): Promise<void> {
    this.#handle ??= await onDisk(() => openAt(this.#path, this.#recorded))
    let rest = chunk
    while (rest.length > 0) {
      const piece = rest.subarray(0, this.#recorded + unrecordedLimit - this.#written)
      await this.#writePiece(this.#handle, piece)
      rest = rest.subarray(piece.length)
      if (this.#written - this.#recorded >= unrecordedLimit) await this.commit()
    }
  }

  /** What fitted on a full disk counts: it is recorded before the error is thrown. */
  async #writePiece(handle: FileHandle, piece: Buffer): Promise<void> {
    const { written, error } = await writeAt(handle, piece, this.#written)
    this.#written += written
    if (error === undefined) return
    await this.commit()
    await onDisk(() => Promise.reject(error))
  }

  async commit(): Promise<void> {
    const handle = this.#handle
    if (!handle || this.#written === this.#recorded) return
    await onDisk(() => handle.datasync())
    await this.#record({
      offset: this.#written,
      multipartId: undefined,
      part: undefined,
      tail: undefined,
    })
    this.#recorded = this.#written
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }
}

/** Opens a file that holds `offset` bytes and nothing else: what is beyond was never recorded. */
async function openAt(path: string, offset: number): Promise<FileHandle> {
  const handle = offset === 0 ? await openOrCreate(path) : await openExisting(path)
  try {
    await cutTo(handle, offset)
    if (offset === 0) await syncDirectory(dirname(path))
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    throw hasCode(error, 'ENOENT') ? uploadLost(error) : error
  }
}

async function cutTo(handle: FileHandle, offset: number): Promise<void> {
  const { size } = await handle.stat()
  if (size < offset) throw uploadLost(new Error(`${size} bytes of ${offset} are there`))
  if (size > offset) await handle.truncate(offset)
}

async function complete(paths: { whole: string; partial: string }, size: number): Promise<void> {
  try {
    const handle = size === 0 ? await openOrCreate(paths.partial) : await open(paths.partial, 'r+')
    try {
      await cutTo(handle, size)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(paths.partial, paths.whole)
  } catch (error) {
    // Renamed already, by an earlier call or by one that runs at the same time.
    if (!hasCode(error, 'ENOENT')) throw error
    if ((await sizeOf(paths.whole))?.size !== size) throw uploadLost(error)
  }
  await syncDirectory(dirname(paths.whole))
}
