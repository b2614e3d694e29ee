import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { headSize } from '../conversion/sniff.ts'
import { AppError } from '../errors.ts'
import { hasLocalFiles, type ObjectStorage } from '../storage/contract.ts'

/** Storage that sends nothing for so long will send nothing more. */
const silenceMs = 30_000
/** Bytes of a file to read at a time. */
const highWaterMark = 512 * 2 ** 10

/** An object of at most so many bytes is read at once. */
const smallSize = 2 ** 20

/** All of a small object, or the first bytes, as many as it takes to tell what it is. */
export async function readStart(
  storage: ObjectStorage,
  key: string,
  size: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0)
  const end = (size <= smallSize ? size : headSize) - 1
  const source = await storage.read(key, { start: 0, end }, signal)
  const chunks: Buffer[] = []
  for await (const chunk of flowing(source, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The SHA-256 of an object's bytes, in hex; reads it once and keeps nothing. */
export async function digest(
  storage: ObjectStorage,
  key: string,
  signal: AbortSignal,
): Promise<string> {
  return sha256Of(flowing(await storage.read(key, undefined, signal), signal))
}

/**
 * A local file with an object's bytes and their SHA-256 in hex: the object itself where storage has
 * files, otherwise a copy at `copyPath`, which the caller removes.
 */
export async function localOriginal(
  storage: ObjectStorage,
  key: string,
  copyPath: string,
  signal: AbortSignal,
): Promise<{ path: string; sha256: string }> {
  if (hasLocalFiles(storage)) {
    const path = storage.pathOf(key)
    return { path, sha256: await sha256Of(createReadStream(path, { highWaterMark, signal })) }
  }
  const hash = createHash('sha256')
  const source = await storage.read(key, undefined, signal)
  const copy = createWriteStream(copyPath, { flags: 'wx' })
  await pipeline(flowing(source, signal), through(hash), copy, { signal })
  return { path: copyPath, sha256: hash.digest('hex') }
}

/** @throws AppError `storage-unavailable` when the bytes stop coming before the end. */
async function* flowing(source: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  addAbortSignal(signal, source)
  const silence = setTimeout(() => source.destroy(new Error('storage went silent')), silenceMs)
  try {
    for await (const chunk of source) {
      silence.refresh()
      yield chunk
      silence.refresh()
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw new AppError('storage-unavailable', 503, 'Reading the original broke off.', { cause })
  } finally {
    clearTimeout(silence)
  }
}

function through(hash: Hash) {
  return async function* (source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk)
      yield chunk
    }
  }
}

export function sha256OfBytes(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function sha256Of(source: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}
