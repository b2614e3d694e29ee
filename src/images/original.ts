import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { headSize } from '../conversion/sniff.ts'
import { AppError } from '../errors.ts'
import { hasLocalFiles, type ObjectStorage } from '../storage/contract.ts'

/** Storage that sends nothing for so long will send nothing more. */
const silenceMs = 30_000

/** The first bytes of an object, as many as it takes to tell what it is. */
export async function readHead(
  storage: ObjectStorage,
  key: string,
  size: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0)
  const source = await storage.read(key, { start: 0, end: Math.min(size, headSize) - 1 }, signal)
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
  const hash = createHash('sha256')
  const source = await storage.read(key, undefined, signal)
  await pipeline(flowing(source, signal), through(hash), drop, { signal })
  return hash.digest('hex')
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
  const hash = createHash('sha256')
  if (hasLocalFiles(storage)) {
    const path = storage.pathOf(key)
    await pipeline(createReadStream(path), through(hash), drop, { signal })
    return { path, sha256: hash.digest('hex') }
  }
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

async function drop(source: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of source);
}
