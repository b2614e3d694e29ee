/** The two protocols as clients speak them. */
import type { Claim } from './checksums.ts'
import type { Body } from './wire.ts'

export type Protocol = 'tus' | 'ietf'

/** What every request of a protocol has in common. */
export interface Speech {
  readonly protocol: Protocol
  readonly headers: Readonly<Record<string, string | number>>
  /** The status of a HEAD that tells where an upload stands. */
  readonly looked: number
}

/** The iterations of the IETF protocol that are spoken. */
export const interops = [5, 6, 9] as const
export type Interop = (typeof interops)[number]

export const tus: Speech = {
  protocol: 'tus',
  headers: { 'Tus-Resumable': '1.0.0' },
  looked: 200,
}

export function ietf(interop: Interop): Speech {
  return { protocol: 'ietf', headers: { 'Upload-Draft-Interop-Version': interop }, looked: 204 }
}

/** A request that brings bytes, or begins an upload. */
export interface Sending {
  readonly method: 'POST' | 'PATCH'
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Body | undefined
  /** The bytes of the upload that it brings. */
  readonly from: number
  readonly to: number
  readonly claim: Claim
  /** Whether it says how long the upload is, that did not say so before. */
  readonly declaresLength?: boolean
  /** Whether the upload may be complete with it. */
  readonly mayComplete?: boolean
  /** The status of success. */
  readonly expected: number
  /** What the file is called by it, when that is not its own name: so it is found again. */
  readonly markedAs?: string
}

/** How one upload is brought. Each request is drawn anew, also when it is tried again. */
export interface Dialect {
  readonly speech: Speech
  creation(): Sending
  /** The next bytes from an offset on, up to `end` at most. */
  append(offset: number, end: number): Sending
}

const mark = 'wrong-'
let marked = 0

/** A name for an upload that is begun with bytes that must not count. */
export function markedName(filename: string): string {
  marked += 1
  return `${mark}${marked}-${filename}`
}

export function isMarked(filename: string): boolean {
  return filename.startsWith(mark)
}
