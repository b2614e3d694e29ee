import { formatBytes } from '../support/text.ts'
import type { Claim } from './checksums.ts'
import type { Plan } from './plan.ts'
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
  /** Requests that said the digest of their bytes. */
  claimed = 0
  /** Those of them that said it after the bytes. */
  trailers = 0
  /** Those of them that said a wrong one and were told so. */
  wrong = 0
  /** Names of uploads that were refused with the bytes they began with. */
  readonly refused = new Set<string>()
  /** Uploads that others are made of. */
  parts = 0
  /** Uploads that were made of others, and of them those asked for before the others were complete. */
  joined = 0
  early = 0
  /** Uploads begun by the IETF protocol, by version. */
  readonly interops = new Map<string, number>()
  /** How often an upload was asked about in the protocol it is not sent by. */
  askedInOther = 0
  readonly #answers = new Map<number, number>()

  began({ role, interop }: Plan): void {
    if (role === 'part') this.parts += 1
    else this.begun += 1
    if (interop === undefined) return
    const version = `version ${interop}`
    this.interops.set(version, (this.interops.get(version) ?? 0) + 1)
  }

  /** @param isTrailer whether the digest came after the bytes. */
  sent(claim: Claim, isTrailer: boolean, answer: Answer | undefined): void {
    if (claim === 'none') return
    this.claimed += 1
    if (isTrailer) this.trailers += 1
    if (claim === 'wrong' && (answer?.status === 460 || answer?.status === 400)) this.wrong += 1
  }

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
    `digests    ${tally.claimed} requests, ${tally.trailers} in a trailer; ${tally.wrong} wrong ones refused`,
    `joined     ${tally.joined} uploads, ${tally.early} of them before their parts were complete; ${tally.parts} parts begun`,
    `IETF       ${formatCounts(tally.interops)}; asked in the other protocol ×${tally.askedInOther}`,
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
