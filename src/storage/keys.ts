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
 * the two keys first, so whatever a crash leaves is under one of them.
 */
export function tailKeys(uploadId: string): readonly [string, string] {
  return [`uploads/${uploadId}.tail-0`, `uploads/${uploadId}.tail-1`]
}

/** A rendition. Deterministic: converting twice overwrites, and leaves nothing else behind. */
export function renditionKey(imageId: string, preset: string, format: string): string {
  return `images/${imageId}/${preset}.${format}`
}
