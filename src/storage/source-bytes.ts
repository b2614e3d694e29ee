import type { UploadSource } from './contract.ts'

/** A stretch of a source, the bytes from `start` to before `end`. */
export interface SourceBytes {
  readonly source: UploadSource
  readonly start: number
  readonly end: number
}

/**
 * Which bytes of which sources follow `offset` bytes of all of them one after the other: at most
 * `most`, none that is empty.
 */
export function* bytesAfter(
  sources: readonly UploadSource[],
  offset: number,
  most = Infinity,
): Generator<SourceBytes, void, undefined> {
  let skipped = offset
  let rest = most
  for (const source of sources) {
    const start = Math.min(skipped, source.size)
    const end = Math.min(source.size, start + rest)
    skipped -= start
    rest -= end - start
    if (end > start) yield { source, start, end }
  }
}
