/**
 * Where things lie in storage. Originals and what is made of them are kept apart, so that a bucket
 * can give each prefix its own lifecycle rule. No key holds anything a client chose.
 */

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

/** A rendition. Deterministic: converting twice overwrites, and leaves nothing else behind. */
export function renditionKey(imageId: string, preset: string, format: string): string {
  return `images/${imageId}/${preset}.${format}`
}
