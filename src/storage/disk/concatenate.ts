/**
 * One file out of several, in little more room than they have already: the first of them becomes the
 * file by a new name, and each of the others is removed once its bytes are in it and recorded.
 */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../../errors.ts'
import type { UploadPosition, UploadSource } from '../contract.ts'
import { uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import { bytesAfter, type SourceBytes } from '../source-bytes.ts'
import { type Appending, append } from './append.ts'
import { onDisk, pathUnder, syncDirectory } from './files.ts'
import { removeFiles, sizeOf } from './objects.ts'
import { progressTo } from './upload-file.ts'

const MiB = 2 ** 20
const readAtOnce = MiB
/** Sources that are together no larger are in the way for no longer than one of this size. */
const smallGroup = 8 * MiB

/**
 * `UploadStorage.concatenate` for files. When a crash came between a rename and the ledger, the
 * first source is not there and all of it is under the name of the whole.
 */
export async function concatenate(
  appending: Appending,
  root: string,
  sources: readonly UploadSource[],
): Promise<void> {
  const { signal } = appending
  const pathOf = ({ id }: UploadSource) => pathUnder(root, originalKey(id))
  const used = new UsedSources(sources)
  const removeUsed = (offset: number) =>
    onDisk(() => removeFiles(root, used.upTo(offset).map(pathOf)))
  signal.throwIfAborted()
  let { position } = appending
  if (position.offset === 0) position = await takeFirst(appending, sources, pathOf)
  await removeUsed(position.offset)
  for (const group of groups(bytesAfter(sources, position.offset))) {
    // Without a length it is never whole: `complete` gives it its final name.
    const open = { ...appending, position: { ...position, length: undefined } }
    const offset = await append(open, readSources(group, pathOf))
    position = { ...position, offset }
    await removeUsed(offset)
  }
}

/** Small ones together, so that not each of them has to be made durable on its own. */
function* groups(all: Iterable<SourceBytes>): Generator<SourceBytes[], void, undefined> {
  let group: SourceBytes[] = []
  let size = 0
  for (const bytes of all) {
    const more = bytes.end - bytes.start
    if (group.length > 0 && size + more > smallGroup) {
      yield group
      group = []
      size = 0
    }
    group.push(bytes)
    size += more
  }
  if (group.length > 0) yield group
}

/** Tells of each source, once, when no byte of it is needed any more. */
class UsedSources {
  /** The offset up to which each of them is needed. */
  readonly #ends = new Map<UploadSource, number>()

  constructor(sources: readonly UploadSource[]) {
    const last = new Map(sources.map((source) => [source.id, source]))
    let end = 0
    for (const { id, size } of sources) {
      end += size
      const source = last.get(id)
      if (source) this.#ends.set(source, size > 0 ? end : 0)
    }
  }

  upTo(offset: number): UploadSource[] {
    const used = [...this.#ends].filter(([, end]) => end <= offset).map(([source]) => source)
    for (const source of used) this.#ends.delete(source)
    return used
  }
}

/** Has the file of the first source become that of the whole, unless it is needed again later. */
async function takeFirst(
  { paths, position, record, signal }: Appending,
  sources: readonly UploadSource[],
  pathOf: (source: UploadSource) => string,
): Promise<UploadPosition> {
  const [first, ...others] = sources.filter(({ size }) => size > 0)
  if (!first || others.some(({ id }) => id === first.id)) return position
  const path = pathOf(first)
  const [source, taken] = await onDisk(() => Promise.all([sizeOf(path), sizeOf(paths.partial)]))
  const isTaken = !source && taken !== undefined && taken.size >= first.size
  if (!isTaken && source?.size !== first.size) {
    throw uploadLost(new Error(`${source?.size} bytes of ${first.size} are at ${path}`))
  }
  // Whoever lost the upload must not put this in the place of what others made of it.
  await record(progressTo(0))
  signal.throwIfAborted()
  await onDisk(async () => {
    if (!isTaken) await rename(path, paths.partial)
    await syncDirectory(dirname(paths.partial))
  })
  signal.throwIfAborted()
  await record(progressTo(first.size))
  return { ...position, offset: first.size }
}

async function* readSources(
  group: readonly SourceBytes[],
  pathOf: (source: UploadSource) => string,
): AsyncGenerator<Buffer, void, undefined> {
  for (const bytes of group) yield* readSource(pathOf(bytes.source), bytes)
}

/** @throws AppError `upload-lost` (410) when the file is not there, or of another size. */
async function* readSource(
  path: string,
  { source, start, end }: SourceBytes,
): AsyncGenerator<Buffer, void, undefined> {
  const handle = await onDisk(() => open(path, 'r').catch(throwLost))
  try {
    const { size } = await onDisk(() => handle.stat())
    if (size !== source.size) throw uploadLost(new Error(`${path} has ${size} bytes`))
    for (let offset = start; offset < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(readAtOnce, end - offset))
      const { bytesRead } = await onDisk(() => handle.read(buffer, 0, buffer.length, offset))
      if (bytesRead === 0) throw uploadLost(new Error(`${path} became shorter`))
      yield buffer.subarray(0, bytesRead)
      offset += bytesRead
    }
  } finally {
    await handle.close()
  }
}

function throwLost(error: unknown): never {
  throw hasCode(error, 'ENOENT') ? uploadLost(error) : error
}
