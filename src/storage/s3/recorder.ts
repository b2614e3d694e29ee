import type {
  Progress,
  RecordProgress,
  UnsettledParts,
  UploadPosition,
  UploadTail,
} from '../contract.ts'

/** What the ledger has of an upload, and the one way to change it while a request is stored. */
export class Recorder {
  readonly #record: RecordProgress
  readonly #signal: AbortSignal
  offset: number
  multipartId: string | undefined
  partCount: number
  unsettledParts: UnsettledParts | undefined
  tail: UploadTail | undefined
  tailEpoch: number
  tailUnsettled: boolean

  constructor(position: UploadPosition, record: RecordProgress, signal: AbortSignal) {
    this.#record = record
    this.#signal = signal
    this.offset = position.offset
    this.multipartId = position.multipartId
    this.partCount = position.partCount
    this.unsettledParts = position.unsettledParts
    this.tail = position.tail
    this.tailEpoch = position.tailEpoch
    this.tailUnsettled = position.tailUnsettled
  }

  /** Records what changes. One at a time. @throws the signal's reason, and records nothing then. */
  async advance(changes: Partial<Progress>): Promise<void> {
    this.#signal.throwIfAborted()
    const { offset, multipartId, unsettledParts, tail, tailEpoch, tailUnsettled } = this
    const before = { offset, multipartId, unsettledParts, tail, tailEpoch, tailUnsettled }
    const progress = { ...before, parts: [], whole: false, ...changes }
    await this.#record(progress)
    this.offset = progress.offset
    this.multipartId = progress.multipartId
    this.partCount += progress.parts.length
    this.unsettledParts = progress.unsettledParts
    this.tail = progress.tail
    this.tailEpoch = progress.tailEpoch
    this.tailUnsettled = progress.tailUnsettled
  }
}
