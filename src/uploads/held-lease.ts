import type { AppError } from '../errors.ts'
import { leaseLost } from './errors.ts'
import type { Fence } from './ledger.ts'
import type { LeaseRecord } from './upload.ts'

/** The right to write to one upload, and to change its record. */
export interface Lease extends Fence {
  /**
   * Aborted when the upload is wanted elsewhere or the program stops: take no more bytes, record
   * those that arrived, and end. The reason is what the client is to be told.
   */
  readonly letGo: AbortSignal
  /** Aborted before somebody else can have the upload: store nothing and record nothing any more. */
  readonly lost: AbortSignal
  /** Says that the ledger has ended the lease, together with something else. */
  markEnded(): void
}

/** The share of a lease at its end in which its holder does not rely on it: clocks differ. */
const margin = 0.1

/** A lease this process has. */
export class HeldLease implements Lease {
  readonly id: string
  readonly record: LeaseRecord
  readonly released: Promise<void>
  readonly #markReleased: () => void
  readonly #letGo = new AbortController()
  readonly #lost = new AbortController()
  readonly #duration: number
  #timer: NodeJS.Timeout | undefined
  #inLedger = false
  #ended = false

  /** @param until its end by our own clock. */
  constructor(id: string, record: LeaseRecord, until: number) {
    this.id = id
    this.record = record
    this.#duration = until - Date.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.released = promise
    this.#markReleased = resolve
    this.#relyOnUntil(until)
  }

  get token(): string {
    return this.record.token
  }

  get letGo(): AbortSignal {
    return this.#letGo.signal
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  get ended(): boolean {
    return this.#ended
  }

  markEnded(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  askToLetGo(reason: AppError): void {
    this.#letGo.abort(reason)
  }

  /** Until the ledger has it, not being found there does not mean that it is lost. */
  markInLedger(): void {
    this.#inLedger = true
  }

  /** @param until the new end by our own clock, or undefined when the ledger does not have the lease. */
  renewed(until: number | undefined): void {
    if (until !== undefined) {
      this.#inLedger = true
      this.#relyOnUntil(until)
    } else if (this.#inLedger) this.#lose()
  }

  markReleased(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#markReleased()
  }

  #relyOnUntil(until: number): void {
    clearTimeout(this.#timer)
    const left = until - Date.now() - this.#duration * margin
    if (!this.#ended && !this.#lost.signal.aborted) {
      this.#timer = setTimeout(() => this.#lose(), left).unref()
    }
  }

  #lose(): void {
    if (this.#ended) return
    this.#letGo.abort(leaseLost())
    this.#lost.abort(leaseLost())
  }
}
