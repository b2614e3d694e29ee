import { AppError } from '../../errors.ts'
import type { Progress, RecordProgress, UploadPosition, UploadTail } from '../contract.ts'
import { originalKey, tailKeys } from '../keys.ts'
import type { Bucket } from './bucket.ts'
import { PartBuffer } from './part-buffer.ts'
import { maxParts, mayEndPart, partSize } from './part-sizes.ts'
import { readTail } from './tail.ts'

/**
 * Writes what one request brings. Bytes go from the buffer into parts, one after the other; at the
 * end of the request the rest becomes
 *
 * - the object itself, when all of the upload is in the buffer;
 * - a part, when it is the last one, or large enough and parts are not getting scarce;
 * - otherwise a tail, that the next request reads back.
 *
 * The order is what makes it safe. What is about to be created is recorded first (the id of a
 * multipart upload right after it exists and before it holds anything), a part or tail counts when
 * storage has acknowledged it, and a tail lies under a new key while the old one still counts.
 */
export class UploadWriter {
  readonly #bucket: Bucket
  readonly #id: string
  readonly #length: number | undefined
  readonly #record: RecordProgress
  readonly #buffer = new PartBuffer()
  #multipartId: string | undefined
  #tail: UploadTail | undefined
  #parts: number
  /** Bytes in parts. */
  #bytes: number
  #recorded: number
  #opened = false

  constructor(bucket: Bucket, position: UploadPosition, record: RecordProgress) {
    this.#bucket = bucket
    this.#id = position.id
    this.#length = position.length
    this.#record = record
    this.#multipartId = position.multipartId
    this.#tail = position.tail
    this.#parts = position.parts.length
    this.#bytes = position.parts.reduce((sum, part) => sum + part.size, 0)
    this.#recorded = position.offset
  }

  async write(chunk: Buffer): Promise<void> {
    await this.#open()
    let rest = chunk
    while (rest.length > 0) {
      const full = partSize(this.#length, this.#done)
      const room = full - this.#buffer.size
      if (room <= 0) {
        await this.#storePart()
        continue
      }
      this.#buffer.append(rest.subarray(0, room), full)
      rest = rest.subarray(room)
    }
  }

  /** Stores what is left in the buffer. @returns the offset recorded last. */
  async finish(): Promise<number> {
    const size = this.#buffer.size
    const end = this.#bytes + size
    if (!this.#opened || end === this.#recorded) return this.#recorded
    const whole = end === this.#length
    if (whole && this.#multipartId === undefined) await this.#storeObject()
    else if (whole || mayEndPart(size, this.#length, this.#done)) await this.#storePart()
    else await this.#storeTail()
    return this.#recorded
  }

  get #done() {
    return { parts: this.#parts, bytes: this.#bytes }
  }

  /** The tail that counts no more, since its bytes are elsewhere; it is removed on completion. */
  get #emptyTail(): UploadTail | undefined {
    return this.#tail && { key: this.#tail.key, size: 0 }
  }

  async #open(): Promise<void> {
    if (this.#opened) return
    if (this.#tail && this.#tail.size > 0) {
      const bytes = await readTail(this.#bucket, this.#tail)
      this.#buffer.append(bytes, partSize(this.#length, this.#done))
    }
    this.#opened = true
  }

  async #storePart(): Promise<void> {
    const number = this.#parts + 1
    if (number > maxParts) {
      throw new AppError('upload-too-long', 413, 'The upload is longer than storage can take.')
    }
    const key = originalKey(this.#id)
    const multipartId = this.#multipartId ?? (await this.#startMultipart(key))
    const bytes = this.#buffer.bytes
    const etag = await this.#bucket.uploadPart(key, multipartId, number, bytes)
    const part = { number, size: bytes.length, etag }
    await this.#advance({ offset: this.#bytes + part.size, part, tail: this.#emptyTail })
    this.#parts = number
    this.#bytes += part.size
    this.#buffer.clear()
  }

  async #startMultipart(key: string): Promise<string> {
    const multipartId = await this.#bucket.createMultipart(key)
    this.#multipartId = multipartId
    await this.#advance({ offset: this.#recorded, tail: this.#tail })
    return multipartId
  }

  async #storeObject(): Promise<void> {
    const bytes = this.#buffer.bytes
    await this.#bucket.put(originalKey(this.#id), bytes)
    await this.#advance({ offset: bytes.length, tail: this.#emptyTail })
  }

  async #storeTail(): Promise<void> {
    const [one, other] = tailKeys(this.#id)
    const key = this.#tail?.key === one ? other : one
    if (!this.#tail) await this.#advance({ offset: this.#recorded, tail: { key, size: 0 } })
    const bytes = this.#buffer.bytes
    await this.#bucket.put(key, bytes)
    await this.#advance({
      offset: this.#bytes + bytes.length,
      tail: { key, size: bytes.length },
    })
  }

  async #advance(progress: Pick<Progress, 'offset' | 'tail'> & Partial<Progress>): Promise<void> {
    await this.#record({ part: undefined, multipartId: this.#multipartId, ...progress })
    this.#recorded = progress.offset
    this.#tail = progress.tail
  }
}
