import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { headSize } from '../conversion/sniff.ts'
import { hasLocalFiles, type ObjectStorage } from '../storage/contract.ts'

/** The first bytes of an object, as many as it takes to tell what it is. */
export async function readHead(
  storage: ObjectStorage,
  key: string,
  size: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0)
  const stream = await storage.read(key, { start: 0, end: Math.min(size, headSize) - 1 }, signal)
  return Buffer.concat(await stream.toArray({ signal }))
}

/** The SHA-256 of an object's bytes, in hex; reads it once and keeps nothing. */
export async function digest(
  storage: ObjectStorage,
  key: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  const source = await storage.read(key, undefined, signal)
  await pipeline(source, through(hash), drop, { signal })
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
  await pipeline(source, through(hash), createWriteStream(copyPath, { flags: 'wx' }), { signal })
  return { path: copyPath, sha256: hash.digest('hex') }
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
