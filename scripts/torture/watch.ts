/** What has to hold for an upload, whatever happens to the server, S3 and the network. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Claim } from './checksums.ts'
import type { Content } from './contents.ts'
import type { Protocol } from './dialect.ts'
import { SentRanges } from './sent-ranges.ts'

/** A promise that was not kept. */
export class Violation extends Error {
  /** What is known of the upload it is about. */
  readonly watch: Watch | undefined

  constructor(message: string, watch?: Watch) {
    super(message)
    this.name = 'Violation'
    this.watch = watch
  }
}

export interface Answer {
  readonly method: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The beginning of the body, when it is an error. */
  readonly text: string
}

/** What an answer is the answer to. */
export interface Asked {
  /** tus when left out. */
  readonly protocol?: Protocol
  /** The only status that says that it was done; any when left out. */
  readonly expected?: number
  readonly claim?: Claim
  /** Where the upload stands when all bytes of the request count. */
  readonly to?: number
}

/** What was certain when a request began; the answer must not fall behind it. */
export interface Before {
  readonly acknowledged: number
  readonly isDeleted: boolean
  readonly isComplete: boolean
}

export interface WatchOptions {
  /** Whether its length is told later. */
  readonly isDeferred?: boolean
  /**
   * Whether it is complete with the last byte of its length; if not, when the server says so, which
   * it does after a request that completes it.
   */
  readonly completes?: 'with its last byte' | 'when it is said'
  /** Whether bytes that are verified may count before all of their request do. */
  readonly countsInBetween?: boolean
  /** Whether it is made of others: it has no offset before it has all bytes. */
  readonly isFinal?: boolean
}

const keptNotes = 150
const retryable = [409, 423, 503]

/** One upload as its clients know it. Every answer passes by here, and a wrong one is a Violation. */
export class Watch {
  readonly name: string
  readonly content: Content
  /** Where it is, once the server has said so. */
  url: string | undefined
  /** `Upload-Concat` as it was sent. */
  concat: string | undefined
  /** When the server last acknowledged something new, in milliseconds since 1970. */
  movedAt = Date.now()
  /** When its client last began to be at it. */
  takenUpAt = Date.now()
  #acknowledged = 0
  readonly #sent: SentRanges
  #lengthDeclared: boolean
  #mayComplete: boolean
  #saidComplete = false
  #deletion: 'none' | 'asked' | 'done' = 'none'
  readonly #options: WatchOptions
  readonly #notes: string[] = []

  constructor(name: string, content: Content, options: WatchOptions = {}) {
    this.name = name
    this.content = content
    this.#options = options
    this.#sent = new SentRanges(options.countsInBetween ?? false)
    this.#lengthDeclared = !options.isDeferred
    this.#mayComplete = !options.isDeferred && !this.#completesWhenSaid
  }

  get id(): string {
    return this.url?.split('/').at(-1) ?? ''
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  get lengthIsKnown(): boolean {
    return this.#lengthDeclared
  }

  /** Whether the server has said that it has everything. */
  get isComplete(): boolean {
    if (this.#completesWhenSaid) return this.#saidComplete
    return this.#lengthDeclared && this.#acknowledged === this.content.size
  }

  get isDeleted(): boolean {
    return this.#deletion === 'done'
  }

  get history(): readonly string[] {
    return this.#notes
  }

  get #completesWhenSaid(): boolean {
    return this.#options.completes === 'when it is said'
  }

  note(text: string): void {
    this.#notes.push(`${new Date().toISOString().slice(11, 23)}  ${text}`)
    if (this.#notes.length > keptNotes) this.#notes.shift()
  }

  before(): Before {
    const { acknowledged, isDeleted, isComplete } = this
    return { acknowledged, isDeleted, isComplete }
  }

  /** Bytes are about to be sent, in a request that may say their digest. */
  sending(from: number, to: number, claim: Claim = 'none'): void {
    this.#sent.add(from, to, claim)
  }

  /** A request is about to be sent with which it may be complete. */
  completing(): void {
    this.#mayComplete = true
  }

  deleting(): void {
    if (this.#deletion === 'none') this.#deletion = 'asked'
  }

  /** Checks the answer to a request. @returns the offset it tells, if it does. */
  saw(before: Before, answer: Answer, asked: Asked = {}): number | undefined {
    const { method, status, headers, text } = answer
    const { protocol = 'tus', claim = 'none', expected = status } = asked
    this.note(`${method} → ${status} ${headers['upload-offset'] ?? ''} ${text}`)
    if (status >= 500 && (status !== 503 || (method === 'HEAD' && protocol === 'tus'))) {
      throw this.violation(`${method} was answered ${status}`)
    }
    if (status === 404 || status === 410) return this.#sawGone(answer)
    if (isMismatch(answer, protocol)) return this.#sawMismatch(answer, claim)
    if (retryable.includes(status)) return this.#sawRefusal(before, answer, protocol)
    if (isLateCompletion(answer) && this.#mayComplete && protocol === 'ietf') return undefined
    if (status >= 300) throw this.violation(`${method} was answered ${status}`)
    if (claim === 'wrong') throw this.violation(`${method}: bytes that are wrong were taken`)
    if (status !== expected) throw this.violation(`${method} was answered ${status}`)
    if (method === 'DELETE') {
      this.#deletion = 'done'
      return undefined
    }
    if (before.isDeleted) throw this.violation('it is back after it was deleted')
    return this.#sawState(before, answer, asked)
  }

  /** Checks what an interim answer says: bytes up to there are safe. */
  sawProgress(headers: IncomingHttpHeaders): void {
    const offset = headers['upload-offset']
    if (offset === undefined) return
    this.note(`104 ${offset}`)
    this.#sawOffset(0, Number(offset))
  }

  violation(message: string): Violation {
    return new Violation(`${this.name} (${this.id || 'no id yet'}): ${message}`, this)
  }

  /** The length is settled: a request that named it was carried out. */
  declaredLength(): void {
    this.#lengthDeclared = true
  }

  #sawGone({ method, status }: Answer): undefined {
    if (this.#deletion === 'none') throw this.violation(`${method} says ${status}: it is gone`)
    // An earlier request to delete took effect although its answer was lost.
    this.#deletion = 'done'
  }

  #sawMismatch({ method, headers }: Answer, claim: Claim): undefined {
    if (claim !== 'wrong') throw this.violation(`${method}: bytes that are right were refused`)
    if (headers.location !== undefined) {
      throw this.violation(`${method}: an upload was made of bytes that are wrong`)
    }
  }

  /** The IETF protocol tells an offset that was not the right one. */
  #sawRefusal(before: Before, { status, headers }: Answer, protocol: Protocol): undefined {
    const offset = headers['upload-offset']
    if (status !== 409 || protocol !== 'ietf' || offset === undefined) return
    this.#sawOffset(before.acknowledged, Number(offset))
  }

  #sawState(before: Before, answer: Answer, asked: Asked): number | undefined {
    const { method, headers } = answer
    const isComplete = this.#sawCompleteness(before, answer, asked)
    if (headers['upload-length'] !== undefined) {
      const length = Number(headers['upload-length'])
      if (length !== this.content.size) throw this.violation(`its length is told as ${length}`)
      // A length may be known of an upload that has all bytes, and yet is not complete.
      if (isComplete || Number(headers['upload-offset']) < length) this.#lengthDeclared = true
    }
    const header = headers['upload-offset']
    if (header === undefined) {
      if (method === 'POST' || this.#options.isFinal) return undefined
      throw this.violation(`${method} was answered without an offset`)
    }
    const offset = this.#sawOffset(before.acknowledged, Number(header))
    const { claim, to } = asked
    if (claim === 'right' && to !== undefined && offset !== to) {
      throw this.violation(`its offset is ${offset} after all up to ${to} was verified`)
    }
    if (isComplete) this.#saidComplete = true
    return offset
  }

  #sawOffset(least: number, offset: number): number {
    if (!(offset >= least)) {
      throw this.violation(`its offset went down from ${least} to ${offset}`)
    }
    if (offset > this.#sent.end) {
      throw this.violation(`its offset is ${offset}, but only ${this.#sent.end} bytes were sent`)
    }
    if (this.#options.isFinal && offset !== this.content.size) {
      throw this.violation(`it is made of others, and its offset is told as ${offset}`)
    }
    if (!this.#sent.mayStandAt(offset)) {
      throw this.violation(`its offset is ${offset}, in the midst of bytes that count together`)
    }
    if (offset > this.#acknowledged) this.movedAt = Date.now()
    this.#acknowledged = Math.max(this.#acknowledged, offset)
    return offset
  }

  /** Whether an answer says that the upload is complete. */
  #sawCompleteness(before: Before, { method, headers }: Answer, { protocol }: Asked): boolean {
    const { size } = this.content
    const hasAll = Number(headers['upload-offset']) === size
    if (method === 'HEAD' && protocol !== 'ietf' && headers['upload-concat'] !== this.concat) {
      throw this.violation(`its Upload-Concat is told as ${headers['upload-concat']}`)
    }
    const tells = method === 'HEAD' || protocol === 'ietf'
    const isComplete =
      protocol === 'ietf'
        ? headers['upload-complete'] === '?1'
        : tells && hasAll && headers['upload-length'] !== undefined
    if (isComplete && !this.#mayComplete) {
      throw this.violation('it is complete, and nobody said that it is')
    }
    if (isComplete && !hasAll) {
      throw this.violation(`it is complete with ${headers['upload-offset']} of ${size} bytes`)
    }
    if (tells && !isComplete && before.isComplete) {
      throw this.violation('it is not complete any more')
    }
    return isComplete
  }
}

/** Whether it says that the bytes are not those of the digest. */
function isMismatch({ status, text }: Answer, protocol: Protocol): boolean {
  return protocol === 'tus' ? status === 460 : status === 400 && text.includes('"digest-mismatch"')
}

/** Whether it refuses a request that completes an upload, since that is complete by now. */
function isLateCompletion({ status, text }: Answer): boolean {
  return status === 400 && text.includes('completed-upload')
}
