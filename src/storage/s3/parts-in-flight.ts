import type { UploadPart } from '../contract.ts'
import type { StoredBlock } from '../memory/share.ts'

interface Flight {
  readonly abort: AbortController
  /** Once storage has acknowledged it. */
  part: UploadPart | undefined
}

export interface FlightPlan<P extends StoredBlock> {
  /** Stores a part; the signal ends it. */
  store(number: number, part: P, signal: AbortSignal): Promise<UploadPart>
  /** Records parts that follow those recorded before, `size` bytes in all. */
  record(parts: readonly UploadPart[], size: number): Promise<void>
  /** Something happened: a part is recorded, or something failed. */
  onChange(): void
}

/**
 * Parts that are stored at the same time. They may land in any order; they are recorded in theirs.
 * When one fails, those before it still count, and those after it never do: they are called back,
 * and what landed of them, or lands later, is what whoever goes on makes again.
 */
export class PartsInFlight<P extends StoredBlock> {
  readonly #plan: FlightPlan<P>
  readonly #flights = new Map<number, Flight>()
  #storing = 0
  #recording = false
  #failure: { readonly error: unknown; readonly number: number } | undefined

  constructor(plan: FlightPlan<P>) {
    this.#plan = plan
  }

  /** Parts that are not recorded yet. */
  get count(): number {
    return this.#flights.size
  }

  /** Whether nothing is under way any more. */
  get isQuiet(): boolean {
    return this.#storing === 0 && !this.#recording
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }

  /** Frees the memory of the part when it is stored, or failed. */
  start(number: number, filled: P): void {
    const flight: Flight = { abort: new AbortController(), part: undefined }
    this.#flights.set(number, flight)
    this.#storing += 1
    void this.#fly(number, flight, filled)
  }

  /** Calls everything back. Nothing is recorded any more. */
  abort(reason: unknown): void {
    this.#fail(reason, 0)
  }

  async #fly(number: number, flight: Flight, filled: P): Promise<void> {
    try {
      const part = await this.#plan.store(number, filled, flight.abort.signal)
      filled.release(true)
      flight.part = part
    } catch (error) {
      filled.release(false)
      this.#fail(error, number)
    }
    this.#storing -= 1
    await this.#recordLanded()
    this.#plan.onChange()
  }

  async #recordLanded(): Promise<void> {
    if (this.#recording) return
    this.#recording = true
    try {
      for (let landed = this.#landed(); landed.length > 0; landed = this.#landed()) {
        const size = landed.reduce((sum, part) => sum + part.size, 0)
        await this.#plan.record(landed, size)
        for (const { number } of landed) this.#flights.delete(number)
        this.#plan.onChange()
      }
    } catch (error) {
      this.#fail(error, 0)
    }
    this.#recording = false
  }

  /** The first of the parts, as far as they are stored without a gap. */
  #landed(): UploadPart[] {
    const landed: UploadPart[] = []
    for (const [number, { part }] of this.#flights) {
      if (!part || number >= (this.#failure?.number ?? Infinity)) break
      landed.push(part)
    }
    return landed
  }

  /** The earliest failure is the one that counts. */
  #fail(error: unknown, number: number): void {
    if (this.#failure && this.#failure.number <= number) return
    this.#failure = { error, number }
    for (const [other, { abort }] of this.#flights) if (other > number) abort.abort(error)
    this.#plan.onChange()
  }
}
