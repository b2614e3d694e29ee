/**
 * How large parts are. S3 takes 10,000 parts of at least 5 MiB, the last of any size; the sizes
 * keep an upload within that whatever requests it comes in.
 */
const MiB = 2 ** 20
export const maxParts = 10_000
export const minPart = 5 * MiB
const usualPart = 8 * MiB
export const maxPart = 5 * 2 ** 30
/** Parts kept back, for those that turn out smaller than planned. */
const spareParts = 10
/** With an unknown length, part sizes double after so many parts: enough for 8 TiB. */
const partsPerDoubling = 1_000

/** What of an upload is in parts already. */
export interface InParts {
  readonly parts: number
  readonly bytes: number
}

/** Bytes of the next part of an upload of `length` bytes, or of a length nobody knows yet. */
export function partSize(length: number | undefined, done: InParts): number {
  if (length === undefined) return usualPart * 2 ** Math.floor(done.parts / partsPerDoubling)
  const partsLeft = Math.max(1, maxParts - spareParts - done.parts)
  return Math.max(usualPart, Math.ceil((length - done.bytes) / partsLeft / MiB) * MiB)
}

/**
 * Whether the `size` bytes that a request left over may become a part before its full size: not
 * when that brings the limit of parts nearer, as with a stream of many small requests.
 */
export function mayEndPart(size: number, length: number | undefined, done: InParts): boolean {
  const full = partSize(length, done)
  if (size >= full) return true
  if (size < minPart) return false
  if (length === undefined) return size >= full / 2
  return partSize(length, { parts: done.parts + 1, bytes: done.bytes + size }) <= usualPart
}
