import type { UnsettledParts, UploadPosition } from '../contract.ts'
import { mayEndPart, partSize } from './part-sizes.ts'
import type { Recorder } from './recorder.ts'

/** Parts that may be on their way to storage at the same time. */
export const mostInFlight = 4

/**
 * How the next parts of an upload are made. One that was begun, and of which nobody heard, is made
 * again of the same bytes: a call that was given up may land at any time later, and is then the part
 * itself. So the ledger is told how many parts of which size may be begun before they are; and
 * whoever goes on makes parts of that size until it has made as many.
 */
export class PartPlan {
  readonly #length: number | undefined
  readonly #recorder: Recorder
  /** What earlier calls may have begun, and up to which number. */
  readonly #earlier: UnsettledParts | undefined
  readonly #earlierUntil: number
  /** Parts that are recorded or begun, and the bytes in them. */
  #count: number
  #bytes: number
  #isResting = false

  constructor(position: UploadPosition, recorder: Recorder) {
    const { length, offset, tail, partCount, unsettledParts } = position
    this.#length = length
    this.#recorder = recorder
    this.#earlier = unsettledParts
    this.#earlierUntil = partCount + (unsettledParts?.count ?? 0)
    this.#count = partCount
    this.#bytes = offset - (tail?.size ?? 0)
  }

  /** Parts that are recorded or begun. */
  get count(): number {
    return this.#count
  }

  /** Bytes in those parts. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of the next part, unless it is the last of the upload, or of the request. */
  get full(): number {
    if (this.#earlier && this.#isBegun) return this.#earlier.size
    return partSize(this.#length, this.#done)
  }

  /** Whether so many bytes, left over from a request, may become a part. */
  mayEndWith(size: number): boolean {
    return !this.#isBegun && mayEndPart(size, this.#length, this.#done)
  }

  /** What the ledger has to hear before a part of so many bytes is begun; undefined if it did. */
  announcementOf(bytes: number): UnsettledParts | undefined {
    const { full } = this
    const isLast = this.#bytes + bytes === this.#length
    const size = isLast ? full : bytes
    const { partCount, unsettledParts: known } = this.#recorder
    if (known?.size === size && this.#count < partCount + known.count) return undefined
    return { size, count: size === full ? mostInFlight : 1 }
  }

  /** Begins a part. @returns its number. */
  begin(bytes: number): number {
    this.#isResting = false
    this.#count += 1
    this.#bytes += bytes
    return this.#count
  }

  /** Says that no part follows for now. */
  rest(): void {
    this.#isResting = true
  }

  /** What is unsettled once so many parts are recorded. */
  unsettledAfter(recorded: number): UnsettledParts | undefined {
    const { unsettledParts: known } = this.#recorder
    const begun = Math.max(this.#count, this.#earlierUntil) - recorded
    const count = this.#isResting ? begun : Math.max(begun, mostInFlight)
    return known && count > 0 ? { size: known.size, count } : undefined
  }

  /** Whether earlier calls may have begun the next part. */
  get #isBegun(): boolean {
    return this.#count < this.#earlierUntil
  }

  get #done() {
    return { parts: this.#count, bytes: this.#bytes }
  }
}
