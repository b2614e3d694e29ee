import type {
  Progress,
  RecordProgress,
  StagedPieces,
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
  /** May be set, to be recorded with whatever is next. */
  staged: StagedPieces | undefined
  /** What the ledger has of it. */
  #recordedStaged: StagedPieces | undefined

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
    this.staged = position.staged
    this.#recordedStaged = position.staged
  }

  /** Records what changes. One at a time. @throws the signal's reason, and records nothing then. */
  async advance(changes: Partial<Progress>): Promise<void> {
    this.#signal.throwIfAborted()
    const { offset, multipartId, unsettledParts, tail, tailEpoch, tailUnsettled, staged } = this
    const before = { offset, multipartId, unsettledParts, tail, tailEpoch, tailUnsettled, staged }
    const progress = { ...before, parts: [], whole: false, ...changes }
    await this.#record(progress)
    this.offset = progress.offset
    this.multipartId = progress.multipartId
    this.partCount += progress.parts.length
    this.unsettledParts = progress.unsettledParts
    this.tail = progress.tail
    this.tailEpoch = progress.tailEpoch
    this.tailUnsettled = progress.tailUnsettled
    if ('staged' in changes) this.staged = progress.staged
    this.#recordedStaged = progress.staged
  }

  /** Has the ledger forget pieces that are gone, if it has not. */
  async recordUnstaged(): Promise<void> {
    if (this.#recordedStaged && !this.staged) await this.advance({})
  }
}
