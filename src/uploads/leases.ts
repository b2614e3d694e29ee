import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../database/database.ts'
import type { Logger } from '../operations/logger.ts'
import { Loop } from '../operations/loop.ts'
import { locked, stopping, uploadNotFound } from './errors.ts'
import { HeldLease, type Lease } from './held-lease.ts'
import {
  claimLease,
  findHolders,
  findWanted,
  readClockOffset,
  releaseLease,
  renewLeases,
  voidLeases,
  wantLease,
} from './lease-records.ts'
import { findUpload } from './ledger.ts'
import type { LeaseRecord, Upload } from './upload.ts'

export interface LeasesOptions {
  readonly database: Database
  readonly logger: Logger
  /** This process, as no other process is called. */
  readonly holder: string
  /** True only of a process that is provably gone. */
  readonly isGone: (holder: string) => boolean
  readonly times?: Partial<LeaseTimes>
}

/** Milliseconds. */
export interface LeaseTimes {
  /** How long a lease lasts unless it is renewed. */
  readonly lease: number
  readonly renew: number
  /** How often leases wanted by other processes are looked for, and how often those look. */
  readonly poll: number
  /** How long a request waits for a lease. */
  readonly patience: number
}

const defaultTimes: LeaseTimes = { lease: 10_000, renew: 3_000, poll: 250, patience: 10_000 }

/**
 * Leases instead of locks: one writer at a time for an upload, in this process and in all that share
 * the database. A newcomer asks the holder to let go, which it does once what it received is
 * recorded. Who is asked last wins: clients ask again when they believe their old connection dead.
 *
 * A lease is renewed while it is held. One that is not, since its process is gone or cannot reach
 * the database, runs out; the ledger takes nothing under a lease that somebody else has taken.
 */
export class Leases {
  readonly #options: LeasesOptions
  readonly #times: LeaseTimes
  readonly #held = new Map<string, HeldLease>()
  /** Requests for the same upload try one after the other, in the order they came in. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #loops: Loop[]
  #stopping = false
  #clockOffset = 0

  constructor(options: LeasesOptions) {
    this.#options = options
    this.#times = { ...defaultTimes, ...options.times }
    const onError = (error: unknown) =>
      options.logger.warn({ err: error }, 'leases could not be looked after')
    this.#loops = [new Loop({ everyMs: this.#times.renew, work: () => this.#renew(), onError })]
    if (options.database.kind === 'postgres') {
      this.#loops.push(new Loop({ everyMs: this.#times.poll, work: () => this.#listen(), onError }))
    }
  }

  /** Ends the leases of processes that are gone, and begins to renew those held here. */
  async start(): Promise<void> {
    const { database, holder, isGone } = this.#options
    this.#clockOffset = (await readClockOffset(database)) ?? 0
    const others = (await findHolders(database.queries)).filter((other) => other !== holder)
    await voidLeases(database.queries, others.filter(isGone))
    for (const loop of this.#loops) loop.start()
  }

  /** Asks all holders to let go, lets nobody have another lease, and resolves when all have. */
  async drain(): Promise<void> {
    this.#stopping = true
    while (this.#held.size > 0 || this.#turns.size > 0) {
      const all = [...this.#held.values()]
      for (const held of all) held.askToLetGo(stopping())
      await Promise.all([...all.map((held) => held.released), ...this.#turns.values()])
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()))
  }

  /**
   * Does something as the only one to write to an upload. Without a lease for an upload that takes
   * no more bytes: `stored`, `failed` or `expired`.
   *
   * @param signal ends the waiting for a lease.
   * @throws AppError `upload-not-found` (404), `upload-locked` (423) when the holder does not let go
   * in time, `stopping` (503).
   */
  async hold<T>(
    id: string,
    signal: AbortSignal,
    work: (upload: Upload, lease: Lease | undefined) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + this.#times.patience
    const { upload, held } = await this.#inTurn(id, () => this.#acquire(id, deadline, signal))
    return held ? this.#run(held, () => work(upload, held)) : work(upload, undefined)
  }

  /** As `hold`, but does nothing, and returns false, when anybody has the lease or waits for it. */
  async holdIfFree(
    id: string,
    work: (upload: Upload, lease: Lease) => Promise<void>,
  ): Promise<boolean> {
    if (this.#stopping || this.#held.has(id) || this.#turns.has(id)) return false
    const claimed = await this.#inTurn(id, () => this.#claim(id))
    if (!claimed) return false
    await this.#run(claimed.held, () => work(claimed.upload, claimed.held))
    return true
  }

  /** As `hold` for an upload that `work` begins by creating its record, with this lease. */
  async holdNew<T>(
    id: string,
    work: (lease: Lease, record: LeaseRecord) => Promise<T>,
  ): Promise<T> {
    if (this.#stopping) throw stopping()
    const held = this.#register(this.#newLease(id))
    return this.#run(held, () => work(held, held.record))
  }

  /** Whether nobody gets a lease here any more. */
  get isStopping(): boolean {
    return this.#stopping
  }

  /** Whether this process has the lease of an upload. */
  isHeldHere(id: string): boolean {
    return this.#held.has(id)
  }

  /** Whether an upload is being written to, or is to be taken for it. */
  isHeld({ id, lease }: Upload): boolean {
    const isNearby = this.#held.has(id) || this.#turns.has(id)
    return isNearby || (lease !== undefined && lease.until > this.#now())
  }

  async #run<T>(held: HeldLease, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      await this.#release(held)
    }
  }

  async #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id)
    const turn = before === undefined ? work() : before.then(work)
    const settled = turn.then(
      () => {},
      () => {},
    )
    this.#turns.set(id, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(id) === settled) this.#turns.delete(id)
    }
  }

  async #acquire(
    id: string,
    deadline: number,
    signal: AbortSignal,
  ): Promise<{ upload: Upload; held?: HeldLease }> {
    const { database } = this.#options
    for (;;) {
      signal.throwIfAborted()
      await this.#untilLetGo(id, deadline, signal)
      if (this.#stopping) throw stopping()
      const claimed = await this.#claim(id)
      if (claimed) return claimed
      const upload = await findUpload(database.queries, id)
      if (!upload) throw uploadNotFound()
      const { state, lease } = upload
      if (state !== 'receiving' && state !== 'assembling') return { upload }
      if (!lease) continue
      const fence = { id, token: lease.token }
      if (this.#isGone(lease)) {
        await releaseLease(database.queries, fence)
        continue
      }
      if (performance.now() > deadline) throw locked()
      await wantLease(database.queries, fence)
      await delay(this.#times.poll, undefined, { signal })
    }
  }

  /** A lease of our own that we do not hold was not given back: the database was away then. */
  #isGone({ holder }: LeaseRecord): boolean {
    return holder === this.#options.holder || this.#options.isGone(holder)
  }

  async #untilLetGo(id: string, deadline: number, signal: AbortSignal): Promise<void> {
    const held = this.#held.get(id)
    if (!held) return
    held.askToLetGo(locked())
    const timer = new AbortController()
    const late = delay(Math.max(0, deadline - performance.now()), undefined, {
      signal: AbortSignal.any([signal, timer.signal]),
    }).then(() => Promise.reject(locked()))
    try {
      await Promise.race([held.released, late])
    } finally {
      late.catch(() => {})
      timer.abort()
    }
  }

  async #claim(id: string) {
    const held = this.#newLease(id)
    const { queries } = this.#options.database
    const upload = await claimLease(queries, id, held.record, this.#now())
    if (!upload) {
      held.markReleased()
      return undefined
    }
    held.markInLedger()
    return { upload, held: this.#register(held) }
  }

  #newLease(id: string): HeldLease {
    const until = this.#now() + this.#times.lease
    const record = { holder: this.#options.holder, token: randomUUID(), until }
    return new HeldLease(id, record, until - this.#clockOffset)
  }

  #now(): number {
    return Date.now() + this.#clockOffset
  }

  #register(held: HeldLease): HeldLease {
    this.#held.set(held.id, held)
    if (this.#stopping) held.askToLetGo(stopping())
    return held
  }

  async #release(held: HeldLease): Promise<void> {
    try {
      if (!held.ended) await releaseLease(this.#options.database.queries, held)
    } catch (error) {
      this.#options.logger.warn({ err: error, upload: held.id }, 'a lease was not given back')
    } finally {
      this.#held.delete(held.id)
      held.markReleased()
    }
  }

  async #renew(): Promise<void> {
    const { database, holder } = this.#options
    const leases = [...this.#held.values()]
    if (leases.length === 0) return
    const until = this.#now() + this.#times.lease
    const tokens = leases.map((held) => held.token)
    const kept = await renewLeases(database.queries, holder, tokens, until)
    for (const held of leases) {
      held.renewed(kept.has(held.token) ? until - this.#clockOffset : undefined)
    }
    this.#clockOffset = (await readClockOffset(database)) ?? this.#clockOffset
  }

  async #listen(): Promise<void> {
    if (this.#held.size === 0) return
    const wanted = await findWanted(this.#options.database.queries, this.#options.holder)
    for (const held of this.#held.values()) {
      if (wanted.has(held.token)) held.askToLetGo(locked())
    }
  }
}
