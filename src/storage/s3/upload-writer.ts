import { AppError } from '../../errors.ts'
import type { UploadPart, UploadPosition } from '../contract.ts'
import { originalKey, tailKeys } from '../keys.ts'
import type { MemoryShare } from '../memory/share.ts'
import type { Bucket, CheckedBytes } from './bucket.ts'
import { startMultipart } from './multipart.ts'
import type { FilledPart, PartBuffer } from './part-buffer.ts'
import { mostInFlight, PartPlan } from './part-plan.ts'
import { maxParts } from './part-sizes.ts'
import { PartsInFlight } from './parts-in-flight.ts'
import type { Sink, SinkMeans } from './receive.ts'
import type { Recorder } from './recorder.ts'
import { emptied, readTail } from './tail.ts'
import type { Wake } from './wake.ts'

/** Bytes after a tail that are kept beside it, so that a slow client does not have it read back. */
const mostPending = 64 * 2 ** 10

/**
 * Writes what one request brings. Bytes go from the buffer into parts, of which a few are stored at
 * the same time; at the end of the request, or when the memory is wanted back, the rest becomes
 *
 * - the object itself, when all of the upload is in the buffer;
 * - a part, when it is the last one, or large enough and parts are not getting scarce;
 * - otherwise a tail, that is read back before more bytes are added.
 *
 * The order is what makes it safe. What is about to be created is recorded first, a part counts
 * when storage has acknowledged it and all before it, a tail lies under a new key while the old one
 * still counts and under one that no earlier call may yet write to, and a part is announced before it
 * is begun: what a failure leaves in storage, or sends there later, is then made again as it was.
 */
export class UploadWriter implements Sink {
  readonly #bucket: Bucket
  readonly #id: string
  readonly #length: number | undefined
  readonly #share: MemoryShare
  readonly #wake: Wake
  readonly #recorder: Recorder
  readonly #plan: PartPlan
  readonly #buffer: PartBuffer
  readonly #flights: PartsInFlight<FilledPart>
  /** Ends what the writer itself waits for, when a part fails or the caller aborts. */
  readonly #stop = new AbortController()
  /** The offset up to which bytes have come. */
  #arrived: number
  /** Whether the tail was read back, or there is none. */
  #isOpen = false
  /** What came after a tail that was not read back yet. */
  #pending = Buffer.alloc(0)

  constructor(means: SinkMeans, position: UploadPosition) {
    this.#bucket = means.bucket
    this.#id = position.id
    this.#length = position.length
    this.#share = means.share
    this.#wake = means.wake
    this.#recorder = means.recorder
    this.#plan = new PartPlan(position, this.#recorder)
    this.#buffer = means.buffer
    this.#arrived = position.offset
    this.#flights = new PartsInFlight({
      store: (number, part, stop) => this.#uploadPart(number, part, stop),
      record: (parts, size) => this.#recordParts(parts, size),
      onChange: () => this.#noticeFailure(),
    })
  }

  /** @throws what a part failed with, or the reason it was stopped for. */
  throwIfStopped(): void {
    this.#flights.throwIfFailed()
    this.#stop.signal.throwIfAborted()
  }

  async write(chunk: Buffer): Promise<void> {
    this.#arrived += chunk.length
    if (this.#mayWait(chunk)) this.#pending = Buffer.concat([this.#pending, chunk])
    else await this.#collect(chunk)
  }

  /** Whether what is in the buffer already can be adopted: a part holds it and the tail before it. */
  get mayAdopt(): boolean {
    return (this.#recorder.tail?.size ?? 0) + this.#buffer.size <= this.#plan.full
  }

  /** Takes what is in the buffer for the first bytes that came. */
  async adopt(): Promise<void> {
    this.#arrived += this.#buffer.size
    const { tail } = this.#recorder
    if (tail && tail.size > 0) {
      await this.#buffer.grow(tail.size, this.#plan.full, this.#stop.signal)
      this.#buffer.setAside(tail.size)
      await readTail(this.#bucket, tail, this.#buffer, this.#stop.signal)
      this.#buffer.putBack()
    }
    this.#isOpen = true
    const isFull = this.#buffer.size >= this.#plan.full
    if (isFull && this.#end !== this.#length) await this.#storePart()
  }

  /** Adds to the buffer, and stores what makes a part. */
  async #collect(chunk: Buffer): Promise<void> {
    if (!this.#isOpen) await this.#open()
    let rest = chunk
    while (rest.length > 0) {
      const { full } = this.#plan
      if (this.#buffer.size < full) {
        const piece = rest.subarray(0, full - this.#buffer.size)
        await this.#append(piece, full)
        rest = rest.subarray(piece.length)
      }
      // What comes last may be all of the upload.
      if (this.#buffer.size >= full && this.#end !== this.#length) await this.#storePart()
    }
  }

  /** Stores what is left in the buffer. @returns the offset recorded last. */
  async finish(): Promise<number> {
    if (this.#pending.length > 0) await this.#open()
    await this.#storeRest()
    await this.#allRecorded()
    await this.#recordSettled()
    const { offset } = this.#recorder
    // Nothing should ever lead here; but nobody else would notice.
    if (offset !== this.#arrived)
      throw new Error(`${offset} of ${this.#arrived} bytes are recorded`)
    return offset
  }

  /** Frees the memory of the buffer, whatever that takes. More may be written afterwards. */
  async spill(): Promise<void> {
    if (this.#buffer.shrink()) return this.#share.spilled(false)
    await this.#storeRest()
    await this.#allRecorded()
    this.#isOpen = false
    this.#share.spilled(true)
  }

  /** Stops everything that is under way; nothing is recorded after that. */
  abort(reason: unknown): void {
    this.#stop.abort(reason)
    this.#flights.abort(reason)
    this.#wake.call()
  }

  /** Until nothing is under way. */
  async settle(): Promise<void> {
    while (!this.#flights.isQuiet) await this.#wake.wait()
  }

  /** The offset up to which bytes are in parts or in the buffer. */
  get #end(): number {
    return this.#plan.bytes + this.#buffer.size
  }

  get #key(): string {
    return originalKey(this.#id)
  }

  #mayWait(chunk: Buffer): boolean {
    const hasTail = (this.#recorder.tail?.size ?? 0) > 0
    return !this.#isOpen && hasTail && this.#pending.length + chunk.length < mostPending
  }

  async #open(): Promise<void> {
    const { tail } = this.#recorder
    if (tail && tail.size > 0) {
      const full = Math.max(tail.size, this.#plan.full)
      await this.#buffer.grow(tail.size, full, this.#stop.signal)
      await readTail(this.#bucket, tail, this.#buffer, this.#stop.signal)
    }
    this.#isOpen = true
    const pending = this.#pending
    this.#pending = Buffer.alloc(0)
    if (pending.length > 0) await this.#collect(pending)
  }

  async #append(piece: Buffer, full: number): Promise<void> {
    if (!this.#buffer.hasRoom(piece.length)) {
      await this.#buffer.grow(piece.length, full, this.#stop.signal)
    }
    this.#buffer.append(piece)
  }

  /** Stores what is left in the buffer; the last part of it may still be on its way afterwards. */
  async #storeRest(): Promise<void> {
    const { size } = this.#buffer
    const isWhole = this.#end === this.#length
    if (size > 0 && isWhole && !this.#recorder.multipartId) await this.#storeObject()
    else if (size > 0 && (isWhole || this.#plan.mayEndWith(size))) await this.#storePart()
    else if (size > 0) await this.#storeTail()
    this.#plan.rest()
  }

  async #storePart(): Promise<void> {
    if (this.#plan.count >= maxParts) {
      throw new AppError('upload-too-long', 413, 'The upload is longer than storage can take.')
    }
    while (this.#flights.count >= (this.#share.isCrowded ? 1 : mostInFlight)) await this.#change()
    await this.#announcePart()
    const part = this.#buffer.take()
    this.#share.filledPart()
    this.#flights.start(this.#plan.begin(part.bytes.length), part)
  }

  /** Has the ledger know how the part in the buffer is made, before it is begun. */
  async #announcePart(): Promise<void> {
    const unsettledParts = this.#plan.announcementOf(this.#buffer.size)
    if (!unsettledParts) return
    await this.#allRecorded()
    if (this.#recorder.multipartId) await this.#recorder.advance({ unsettledParts })
    else {
      const { signal } = this.#stop
      await startMultipart(this.#bucket, this.#key, this.#recorder, unsettledParts, signal)
    }
  }

  #uploadPart(number: number, part: CheckedBytes, signal: AbortSignal): Promise<UploadPart> {
    const { multipartId = '' } = this.#recorder
    return this.#bucket.uploadPart({ key: this.#key, multipartId }, number, part, signal)
  }

  /** The first of them has in it what was in the tail. */
  async #recordParts(parts: readonly UploadPart[], size: number): Promise<void> {
    const { offset, tail } = this.#recorder
    const before = offset - (tail?.size ?? 0)
    const unsettledParts = this.#plan.unsettledAfter(this.#recorder.partCount + parts.length)
    const progress = { offset: before + size, parts, unsettledParts, tail: emptied(tail) }
    await this.#recorder.advance(progress)
  }

  /** Says that no part is under way any more, where that was not said with the last of them. */
  async #recordSettled(): Promise<void> {
    const { offset, partCount, unsettledParts: before } = this.#recorder
    const unsettledParts = this.#plan.unsettledAfter(partCount)
    // The record of a whole upload is closed, and it gets no more parts.
    if (before?.count === unsettledParts?.count || offset === this.#length) return
    await this.#recorder.advance({ unsettledParts })
  }

  async #storeObject(): Promise<void> {
    const { multipartId, tail, tailUnsettled, staged } = this.#recorder
    const offset = this.#end
    await this.#put(this.#key)
    const whole = multipartId === undefined && !tail && !tailUnsettled && !staged
    await this.#recorder.advance({ offset, tail: emptied(tail), whole })
  }

  async #storeTail(): Promise<void> {
    await this.#allRecorded()
    this.#plan.rest()
    const { partCount, tail, tailEpoch: last, tailUnsettled } = this.#recorder
    const unsettledParts = this.#plan.unsettledAfter(partCount)
    // What somebody else, or a call that was given up, still sends must not land on this tail.
    const tailEpoch = tailUnsettled ? last + 1 : last
    const [one, other] = tailKeys(this.#id, tailEpoch)
    const key = tail?.key === one ? other : one
    await this.#recorder.advance({ unsettledParts, tailEpoch, tailUnsettled: true })
    const { size, crc32 } = this.#buffer
    const offset = this.#end
    const attempts = await this.#put(key)
    const progress = { offset, tail: { key, size, crc32 }, tailUnsettled: attempts > 1 }
    await this.#recorder.advance(progress)
  }

  /** Stores what is in the buffer under a key, and empties it. @returns how many attempts it took. */
  async #put(key: string): Promise<number> {
    const part = this.#buffer.take()
    try {
      const attempts = await this.#bucket.put(key, part, undefined, this.#stop.signal)
      part.release(true)
      return attempts
    } catch (error) {
      part.release(false)
      throw error
    }
  }

  async #allRecorded(): Promise<void> {
    while (this.#flights.count > 0) await this.#change()
  }

  async #change(): Promise<void> {
    this.throwIfStopped()
    await this.#wake.wait()
    this.throwIfStopped()
  }

  #noticeFailure(): void {
    try {
      this.#flights.throwIfFailed()
    } catch (error) {
      this.#stop.abort(error)
    }
    this.#wake.call()
  }
}
