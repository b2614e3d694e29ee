/**
 * Takes the framing off a body in chunks, which `Transfer-Encoding: chunked` and the `aws-chunked`
 * of S3 have in common: lines with the length of what follows in hex, perhaps with a signature, and
 * after a chunk of length zero trailers and an empty line.
 */
export class ChunkedPayload {
  readonly #take: (bytes: Buffer) => void
  /** A line that has not ended yet. */
  #line = ''
  /** Bytes until the chunk ends. */
  #left = 0
  #inTrailers = false
  #ended = false
  readonly #trailers = new Map<string, string>()

  constructor(take: (bytes: Buffer) => void) {
    this.#take = take
  }

  /** @returns what follows the payload, or undefined when it has not ended. */
  write(chunk: Buffer): Buffer | undefined {
    for (let at = 0; at < chunk.length && !this.#ended; ) {
      if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left)
        this.#take(bytes)
        this.#left -= bytes.length
        at += bytes.length
        continue
      }
      const end = chunk.indexOf('\n', at)
      this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end)
      if (end < 0) return undefined
      at = end + 1
      this.#endLine(this.#line.trim())
      this.#line = ''
      if (this.#ended) return chunk.subarray(at)
    }
    return undefined
  }

  trailer(name: string): string | undefined {
    return this.#trailers.get(name)
  }

  #endLine(line: string): void {
    if (this.#inTrailers) {
      const [name = '', value = ''] = line.split(/:\s*/)
      if (line === '') this.#ended = true
      else this.#trailers.set(name.toLowerCase(), value)
      return
    }
    // After the bytes of a chunk comes an empty line.
    if (line === '') return
    this.#left = Number.parseInt(line, 16)
    this.#inTrailers = this.#left === 0
  }
}
