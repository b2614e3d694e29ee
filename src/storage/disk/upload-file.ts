import type { FileHandle } from 'node:fs/promises'
import { hasCode } from '../../errors.ts'
import type { Progress, RecordProgress, UploadPosition } from '../contract.ts'
import { allOf, closeSoon, onDisk, writeAll } from './files.ts'
import { makeWhole, nameWhole, openPartial, syncNames, type UploadPaths } from './upload-paths.ts'

/** Written bytes that make it worth to make them durable, while more are being written. */
const commitEvery = 8 * 2 ** 20
/** What may be written and not yet recorded. */
const unrecordedLimit = 16 * 2 ** 20
/** Given up again when the disk is full: the ledger may lie on it, and needs room to record. */
const givenBack = 256 * 1024

export interface UploadFileOptions {
  readonly paths: UploadPaths
  readonly position: UploadPosition
  readonly record: RecordProgress
  /** Once aborted nothing more is written or recorded. */
  readonly signal: AbortSignal
  /** Called when all of the upload is written and being made durable. */
  readonly whileWaiting: () => void
  /** Called when making bytes durable failed while nobody waits for it; the next call throws it. */
  readonly onFailure: (error: unknown) => void
  /** Whether nothing of what is written counts before `letCount`. */
  readonly holds: boolean
}

/**
 * The file of an upload while one request appends to it. One call at a time.
 *
 *     received ──write──▶ in the file ──commit──▶ durable ──record──▶ recorded
 *
 * Writing goes on while a commit is under way: a commit names only what was in the file before the
 * sync it waits for began. The first commit makes the name of a new file durable as well.
 *
 * What is held back goes no further than durable, and keeps the file from getting its final name.
 * When it never counts, it is cut off in the end.
 */
export class UploadFile {
  readonly #options: UploadFileOptions
  #handle: Promise<FileHandle> | undefined
  /** Once the file gets its final name: the directory that the name is in. */
  #directory: Promise<FileHandle | undefined> | undefined
  #nameIsDurable: boolean
  #written: number
  #recorded: number
  /** Up to where it was committed; no more than what is recorded unless it is held back. */
  #committed: number
  #holds: boolean
  /** The commit under way. Never rejects. */
  #commit: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(options: UploadFileOptions) {
    this.#options = options
    this.#written = options.position.offset
    this.#recorded = options.position.offset
    this.#committed = options.position.offset
    this.#holds = options.holds
    this.#nameIsDurable = options.position.offset > 0
  }

  get recorded(): number {
    return this.#recorded
  }

  /**
   * Writes what follows, at most a few MiB. On an error, what was written before it is recorded
   * first: on a full disk that is what fitted.
   */
  async write(chunks: readonly Buffer[]): Promise<void> {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    const handle = await this.open()
    while (this.#written + size > this.#committed + unrecordedLimit) {
      await (this.#commit ?? this.#startCommit())
      this.#throwIfStopped()
    }
    this.#throwIfStopped()
    // It takes as long as to write a small file, and what is recorded is found under either name.
    const isLast = this.#written + size === this.#options.position.length
    if (isLast && !this.#holds) this.#nameWhole().catch(() => {})
    const { written, error } = await writeAll(handle, chunks, this.#written)
    this.#written += written
    if (error !== undefined) await this.#giveUp(handle, error)
    // After a sync that failed, one that succeeds says nothing about what was written before.
    this.#throwIfStopped()
    if (this.#isCommitDue()) void this.#startCommit()
  }

  /** What was held back counts from now on. */
  letCount(): void {
    this.#holds = false
  }

  /** Makes all that was written durable and records it, as a whole object if that is all of it. */
  async finish(): Promise<void> {
    await this.#commit
    this.#throwIfStopped()
    if (this.#written === this.#recorded) return
    const whole = this.#written === this.#options.position.length
    await (whole ? this.#commitWhole() : this.#commitTo(this.#written))
  }

  /** Afterwards nothing is under way, and nothing is left of what never came to count. */
  async close(): Promise<void> {
    await this.#commit
    // What stays all the same is cut off by whoever opens the file next.
    if (this.#holds) await this.#takeBack().catch(() => {})
    const opening = this.#handle
    const naming = this.#directory
    this.#handle = undefined
    this.#directory = undefined
    const handle = await opening?.catch(() => undefined)
    // What counts was synced before, so that an error says nothing; the descriptor is free either way.
    await handle?.close().catch(() => {})
    closeSoon(await naming?.catch(() => undefined))
  }

  /** The file, opened by the first call; `write` does it if nobody did before. */
  open(): Promise<FileHandle> {
    this.#handle ??= this.#open()
    return this.#handle
  }

  async #open(): Promise<FileHandle> {
    const { paths, position, signal } = this.#options
    signal.throwIfAborted()
    return openPartial(paths, position, () => this.#confirm())
  }

  /** @throws when somebody else may have the upload by now. */
  async #confirm(): Promise<void> {
    const { position, record, signal } = this.#options
    signal.throwIfAborted()
    await record(progressTo(position.offset))
    signal.throwIfAborted()
  }

  async #takeBack(): Promise<void> {
    const { offset } = this.#options.position
    if (this.#written === offset) return
    const handle = await this.open()
    await this.#confirm()
    await handle.truncate(offset)
    this.#written = offset
  }

  #startCommit(): Promise<void> {
    this.#commit = this.#commitTo(this.#written)
      .catch((error) => {
        this.#failure = { error }
        this.#options.onFailure(error)
      })
      .finally(() => {
        this.#commit = undefined
      })
    return this.#commit
  }

  async #commitTo(offset: number): Promise<void> {
    const holds = this.#holds
    await onDisk(async () => {
      await (await this.open()).datasync()
      if (!this.#nameIsDurable) await syncNames(this.#options.paths)
    })
    this.#nameIsDurable = true
    if (holds) this.#committed = offset
    else await this.#recordNow(progressTo(offset))
  }

  async #commitWhole(): Promise<void> {
    const handle = await this.open()
    const { paths, whileWaiting } = this.#options
    await onDisk(async () =>
      makeWhole(paths, await this.#nameWhole(), handle, this.#written, whileWaiting),
    )
    const progress = { ...progressTo(this.#written), whole: true }
    await allOf([this.#recordNow(progress), this.close()])
  }

  #nameWhole(): Promise<FileHandle | undefined> {
    this.#directory ??= nameWhole(this.#options.paths)
    return this.#directory
  }

  async #recordNow(progress: Progress): Promise<void> {
    this.#options.signal.throwIfAborted()
    await this.#options.record(progress)
    this.#recorded = progress.offset
    this.#committed = progress.offset
  }

  async #giveUp(handle: FileHandle, error: unknown): Promise<never> {
    await this.#commit
    this.#throwIfStopped()
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
      this.#written = Math.max(this.#recorded, this.#written - givenBack)
      await onDisk(() => handle.truncate(this.#written))
    }
    if (this.#written > this.#recorded) await this.#commitTo(this.#written)
    return onDisk(() => Promise.reject(error))
  }

  /** The last bytes are left to `finish`, which makes the object whole with them. */
  #isCommitDue(): boolean {
    const isLast = this.#written === this.#options.position.length
    return !this.#commit && !isLast && this.#written - this.#committed >= commitEvery
  }

  #throwIfStopped(): void {
    this.#options.signal.throwIfAborted()
    if (this.#failure) throw this.#failure.error
  }
}

/** Progress of a file, which consists of nothing but bytes. */
export function progressTo(offset: number): Progress {
  const nothing = {
    multipartId: undefined,
    parts: [],
    unsettledParts: undefined,
    tail: undefined,
    staged: undefined,
  }
  return { offset, ...nothing, tailEpoch: 0, tailUnsettled: false, whole: false }
}
