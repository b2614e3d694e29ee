/** What lies in the bucket: of large bodies only how large they were. */

export interface StoredObject {
  readonly size: number
  readonly etag: string
  /** Undefined for bytes that were thrown away; they are read back as zeros. */
  readonly bytes: Buffer | undefined
  /** What a reader is told beside the bytes: the content type and `x-amz-meta-…`. */
  readonly headers: Readonly<Record<string, string>>
}

export interface Part {
  readonly size: number
  readonly etag: string
}

export interface Multipart {
  readonly key: string
  readonly parts: Map<number, Part>
}

/** Bodies up to this size can be read back: tails, and what the stock stack notes down. */
export const keptSize = 8 * 2 ** 20
/** Beyond so many bytes the oldest are forgotten, so that a long run does not fill the memory. */
const keptTotal = 2 ** 30

export class Objects {
  readonly multiparts = new Map<string, Multipart>()
  readonly #objects = new Map<string, StoredObject>()
  readonly #kept = new Set<string>()
  #total = 0

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  put(key: string, object: StoredObject): void {
    this.remove(key)
    this.#objects.set(key, object)
    if (!object.bytes) return
    this.#kept.add(key)
    this.#total += object.size
    for (const oldest of this.#kept) {
      if (this.#total <= keptTotal) break
      this.#forgetBytes(oldest)
    }
  }

  remove(key: string): void {
    this.#forgetBytes(key)
    this.#objects.delete(key)
  }

  /** Known or not: what was uploaded before this server started is taken as it is said to be. */
  multipart(uploadId: string, key: string): Multipart {
    const multipart = this.multiparts.get(uploadId) ?? { key, parts: new Map() }
    this.multiparts.set(uploadId, multipart)
    return multipart
  }

  #forgetBytes(key: string): void {
    const object = this.#objects.get(key)
    if (!object || !this.#kept.delete(key)) return
    this.#total -= object.size
    this.#objects.set(key, { ...object, bytes: undefined })
  }
}
