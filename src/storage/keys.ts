/**
 * Where things lie in storage. Originals and what is made of them are kept apart, so that a bucket
 * can give each prefix its own lifecycle rule. No key holds anything a client chose.
 */
import { isId } from '../ids.ts'

/** The original, as it was uploaded. */
export function originalKey(uploadId: string): string {
  return `uploads/${uploadId}`
}

/**
 * Acknowledged bytes that are too few for an S3 part. A tail is replaced by writing the other of
 * the two keys first, so whatever a crash leaves is under one of them. A new epoch, with two more
 * keys, begins when a write may still be on its way to a key and land there later.
 */
export function tailKeys(uploadId: string, epoch = 0): readonly [string, string] {
  const name = epoch === 0 ? `uploads/${uploadId}.tail` : `uploads/${uploadId}.tail-${epoch}`
  return [`${name}-0`, `${name}-1`]
}

/** The tail keys of all epochs up to this one. */
export function allTailKeys(uploadId: string, epoch: number): string[] {
  return Array.from({ length: epoch + 1 }, (_, each) => tailKeys(uploadId, each)).flat()
}

/**
 * Bytes of a request that count only once they are verified, in the pieces numbered from `first` to
 * before `end`. The token is drawn for an upload whenever it has none, and a number is used once.
 */
export function stagedKeys(uploadId: string, token: string, first: number, end: number): string[] {
  const name = `uploads/${uploadId}.staged-${token}`
  return Array.from({ length: end - first }, (_, each) => `${name}-${first + each}`)
}

const incoming = 'incoming/'

/**
 * Where bytes arrive that a client sends to storage itself. What it may write to is never the
 * original: its link is good for a while after the bytes were confirmed.
 */
export function incomingKey(uploadId: string): string {
  return `${incoming}${uploadId}`
}

/** Whose bytes arrive at a key, if any do. */
export function incomingIdOf(key: string): string | undefined {
  const id = key.startsWith(incoming) ? key.slice(incoming.length) : ''
  return isId(id) ? id : undefined
}

/** A rendition. The name is used once: an object is never another one than it was. */
export function renditionKey(imageId: string, name: string, format: string): string {
  return `images/${imageId}/${name}.${format}`
}
