import { formatBytes } from '../support/text.ts'
import type { Answer } from './watch.ts'

/** What the clients did so far. */
export class Tally {
  begun = 0
  stored = 0
  verified = 0
  deleted = 0
  /** Bytes that the server acknowledged. */
  bytes = 0
  /** Requests that got no answer. */
  broken = 0
  readonly #answers = new Map<number, number>()

  answered({ status }: Answer): void {
    this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1)
  }

  get requests(): number {
    return this.broken + sumOf(this.#answers)
  }

  /** `201 ×14, 204 ×70`. */
  get answers(): string {
    return formatCounts(
      new Map([...this.#answers].sort(([a], [b]) => a - b).map(([k, v]) => [`${k}`, v])),
    )
  }
}

/** What was done to the server and around it. */
export interface ChaosCounts {
  kills: number
  /** Kills right after S3 carried something out that the server never heard of. */
  aimedKills: number
  /** Stops by SIGTERM. */
  stops: number
  /** Those of them that did not come to the end of everything, as S3 failed. */
  uncleanStops: number
  outages: number
  /** Starts that failed because S3 did, and were tried again. */
  failedStarts: number
}

export interface Status {
  readonly elapsedMs: number
  readonly tally: Tally
  readonly chaos: ChaosCounts
  readonly faults: number
  readonly open: number
  readonly memory: number | undefined
}

export function progressLine({ elapsedMs, tally, chaos, faults, open, memory }: Status): string {
  const parts = [
    `${Math.round(elapsedMs / 1_000)} s`.padStart(6),
    `uploads ${tally.begun} begun, ${tally.stored} stored, ${tally.deleted} deleted, ${open} open`,
    formatBytes(tally.bytes),
    `kills ${chaos.kills}`,
    `faults ${faults}`,
    `memory ${formatMemory(memory)}`,
  ]
  return parts.join(' · ')
}

export interface Summary extends Omit<Status, 'open' | 'memory'> {
  readonly faultsByKind: ReadonlyMap<string, number>
  readonly images: ReadonlyMap<string, number>
  readonly memory: { readonly atStart: number | undefined; readonly atEnd: number | undefined }
}

export function summaryLines(summary: Summary): string[] {
  const { tally, chaos, faults, faultsByKind, images, memory, elapsedMs } = summary
  return [
    `uploads    ${tally.begun} begun, ${tally.stored} stored, ${tally.verified} read back byte for byte, ${tally.deleted} deleted`,
    `bytes      ${formatBytes(tally.bytes)} acknowledged in ${Math.round(elapsedMs / 1_000)} s`,
    `requests   ${tally.requests}: ${tally.answers}, no answer ×${tally.broken}`,
    `kills      ${chaos.kills}, of which ${chaos.aimedKills} between S3 and the ledger; ${chaos.stops} stops (${chaos.uncleanStops} with an exit code), ${chaos.failedStarts} failed starts, ${chaos.outages} outages`,
    `faults     ${faults}: ${formatCounts(faultsByKind)}`,
    `images     ${formatCounts(images)}`,
    `memory     ${formatMemory(memory.atStart)} after the warm-up, ${formatMemory(memory.atEnd)} at the end`,
  ]
}

export function sumOf(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

export function formatCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ×${count}`).join(', ') || 'none'
}

function formatMemory(bytes: number | undefined): string {
  return bytes === undefined ? 'unknown' : formatBytes(bytes)
}
