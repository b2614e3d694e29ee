import { randomBytes } from 'node:crypto'
import type { UploadPosition } from '../contract.ts'
import { stagedKeys } from '../keys.ts'
import type { MemoryShare } from '../memory/share.ts'
import type { Bucket } from './bucket.ts'
import type { FilledPart, PartBuffer } from './part-buffer.ts'
import { mostInFlight } from './part-plan.ts'
import type { Sink, SinkMeans } from './receive.ts'
import type { Recorder } from './recorder.ts'
import { describePiece, readPiece, removePieces, type StagedPiece } from './staged-pieces.ts'
import type { Wake } from './wake.ts'

const pieceSize = 8 * 2 ** 20
/** The ledger hears of so many pieces at a time, before the first of them is begun. */
const announcedAtOnce = 16

/**
 * A body that must be verified before any of its bytes counts. One piece of it is kept in the
 * buffer; when there is more, or the memory is wanted back, pieces are stored aside.
 *
 *     begun ──stored──▶ read back ──▶ removed ──▶ forgotten by the ledger
 *
 * A piece of which not everybody's call was heard of may come back after it was removed, so that
 * the ledger keeps its name until the upload is complete, or somebody else removed it once more.
 */
export class StagedBody implements Sink {
  readonly #bucket: Bucket
  readonly #share: MemoryShare
  readonly #wake: Wake
  readonly #recorder: Recorder
  readonly #buffer: PartBuffer
  readonly #position: UploadPosition
  readonly #stop = new AbortController()
  readonly #token: string
  /** The number of the first piece: those before it an earlier request left, and they are still named. */
  readonly #first: number
  readonly #pieces: StagedPiece[] = []
  #storing = 0
  #isSettled = true
  /** How many of the pieces were removed again. */
  #removed = 0
  #removing = Promise.resolve()

  constructor({ bucket, share, wake, recorder, buffer }: SinkMeans, position: UploadPosition) {
    this.#bucket = bucket
    this.#share = share
    this.#wake = wake
    this.#recorder = recorder
    this.#buffer = buffer
    this.#position = position
    this.#token = recorder.staged?.token ?? randomBytes(9).toString('base64url')
    this.#first = recorder.staged?.count ?? 0
  }

  /** Whether all that came is in the buffer. */
  get isInMemory(): boolean {
    return this.#pieces.length === 0
  }

  throwIfStopped(): void {
    this.#stop.signal.throwIfAborted()
  }

  async write(chunk: Buffer): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#buffer.size === pieceSize) await this.#storePiece()
      const piece = rest.subarray(0, pieceSize - this.#buffer.size)
      if (!this.#buffer.hasRoom(piece.length)) {
        await this.#buffer.grow(piece.length, pieceSize, this.#stop.signal)
      }
      this.#buffer.append(piece)
      rest = rest.subarray(piece.length)
    }
  }

  async spill(): Promise<void> {
    if (this.#buffer.shrink()) return this.#share.spilled(false)
    await this.finish()
    this.#share.spilled(true)
  }

  /** Stores what is left in the buffer. */
  async finish(): Promise<void> {
    if (this.#buffer.size > 0) await this.#storePiece()
    while (this.#storing > 0) await this.#change()
    this.throwIfStopped()
  }

  /** What was stored, once. Pieces are removed when they were read, since nobody needs them again. */
  async *read(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const until = AbortSignal.any([signal, this.#stop.signal])
    for (const [index, piece] of this.#pieces.entries()) {
      yield* readPiece(this.#bucket, piece, until)
      if ((index + 1) % announcedAtOnce === 0) void this.#removeUntil(index + 1)
    }
    await this.#removeUntil(this.#pieces.length)
  }

  /**
   * Ends reading and removes what is left of the pieces; the ledger names them as long as there may
   * be any.
   */
  async remove(): Promise<void> {
    if (this.isInMemory) return
    this.#stop.abort()
    await this.#removeUntil(this.#pieces.length)
    // The record of a whole upload is closed; what it names is removed with its completion.
    if (this.#recorder.offset === this.#position.length) return
    await this.#recorder.recordUnstaged().catch(() => {})
  }

  abort(reason: unknown): void {
    this.#stop.abort(reason)
    this.#wake.call()
  }

  async settle(): Promise<void> {
    while (this.#storing > 0) await this.#wake.wait()
  }

  async #storePiece(): Promise<void> {
    while (this.#storing >= (this.#share.isCrowded ? 1 : mostInFlight)) await this.#change()
    const number = this.#first + this.#pieces.length
    await this.#announce(number)
    const [key = ''] = this.#keys(number, number + 1)
    const isFull = this.#buffer.size === pieceSize
    const filled = this.#buffer.take()
    if (isFull) this.#share.filledPart()
    this.#pieces.push(describePiece(key, filled))
    this.#storing += 1
    void this.#store(key, filled)
  }

  async #announce(number: number): Promise<void> {
    if (number < (this.#recorder.staged?.count ?? 0)) return
    const staged = { token: this.#token, count: number + announcedAtOnce }
    await this.#recorder.advance({ staged })
  }

  async #store(key: string, filled: FilledPart): Promise<void> {
    try {
      const attempts = await this.#bucket.put(key, filled, undefined, this.#stop.signal)
      filled.release(true)
      if (attempts > 1) this.#isSettled = false
    } catch (error) {
      filled.release(false)
      this.#isSettled = false
      this.#stop.abort(error)
    }
    this.#storing -= 1
    this.#wake.call()
  }

  /** Never rejects. */
  #removeUntil(count: number): Promise<void> {
    const remove = async () => {
      if (this.#removed >= count) return
      const keys = this.#keys(this.#first + this.#removed, this.#first + count)
      await removePieces(this.#bucket, keys)
      this.#removed = count
      const isAll = this.#first === 0 && count === this.#pieces.length
      if (isAll && this.#isSettled) this.#recorder.staged = undefined
    }
    this.#removing = this.#removing.then(remove).catch(() => {})
    return this.#removing
  }

  async #change(): Promise<void> {
    this.throwIfStopped()
    await this.#wake.wait()
    this.throwIfStopped()
  }

  #keys(first: number, end: number): string[] {
    return stagedKeys(this.#position.id, this.#token, first, end)
  }
}
