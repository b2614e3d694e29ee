/** What has to hold for an upload, whatever happens to the server, S3 and the network. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Content } from './contents.ts'

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

/** What was certain when a request began; the answer must not fall behind it. */
export interface Before {
  readonly acknowledged: number
  readonly isDeleted: boolean
}

const keptNotes = 150
const retryable = [409, 423, 503]

/** One upload as its clients know it. Every answer passes by here, and a wrong one is a Violation. */
export class Watch {
  readonly name: string
  readonly content: Content
  /** Where it is, once the server has said so. */
  url: string | undefined
  /** When the server last acknowledged something new, in milliseconds since 1970. */
  movedAt = Date.now()
  /** When its client last began to be at it. */
  takenUpAt = Date.now()
  #acknowledged = 0
  /** No byte from here on was ever sent. */
  #sent = 0
  #lengthDeclared: boolean
  #deletion: 'none' | 'asked' | 'done' = 'none'
  readonly #notes: string[] = []

  constructor(name: string, content: Content, isDeferred: boolean) {
    this.name = name
    this.content = content
    this.#lengthDeclared = !isDeferred
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
    return this.#lengthDeclared && this.#acknowledged === this.content.size
  }

  get isDeleted(): boolean {
    return this.#deletion === 'done'
  }

  get history(): readonly string[] {
    return this.#notes
  }

  note(text: string): void {
    this.#notes.push(`${new Date().toISOString().slice(11, 23)}  ${text}`)
    if (this.#notes.length > keptNotes) this.#notes.shift()
  }

  before(): Before {
    return { acknowledged: this.#acknowledged, isDeleted: this.isDeleted }
  }

  /** Bytes up to here are about to be sent. */
  sending(end: number): void {
    this.#sent = Math.max(this.#sent, end)
  }

  deleting(): void {
    if (this.#deletion === 'none') this.#deletion = 'asked'
  }

  /** Checks the answer to a tus request. @returns the offset it tells, if it does. */
  saw(before: Before, answer: Answer): number | undefined {
    const { method, status } = answer
    this.note(`${method} → ${status} ${answer.headers['upload-offset'] ?? ''} ${answer.text}`)
    if (status >= 500 && (status !== 503 || method === 'HEAD')) {
      throw this.violation(`${method} was answered ${status}`)
    }
    if (status === 404 || status === 410) return this.#sawGone(answer)
    if (retryable.includes(status)) return undefined
    if (status >= 300) throw this.violation(`${method} was answered ${status}`)
    if (method === 'DELETE') {
      this.#deletion = 'done'
      return undefined
    }
    if (before.isDeleted) throw this.violation('it is back after it was deleted')
    return this.#sawOffset(before, answer)
  }

  violation(message: string): Violation {
    return new Violation(`${this.name} (${this.id || 'no id yet'}): ${message}`, this)
  }

  #sawGone({ method, status }: Answer): undefined {
    if (this.#deletion === 'none') throw this.violation(`${method} says ${status}: it is gone`)
    // An earlier request to delete took effect although its answer was lost.
    this.#deletion = 'done'
  }

  #sawOffset(before: Before, { method, headers }: Answer): number | undefined {
    if (headers['upload-length'] !== undefined) {
      const length = Number(headers['upload-length'])
      if (length !== this.content.size) throw this.violation(`its length is told as ${length}`)
      this.#lengthDeclared = true
    }
    const header = headers['upload-offset']
    if (header === undefined) {
      if (method === 'POST') return undefined
      throw this.violation(`${method} was answered without an offset`)
    }
    const offset = Number(header)
    if (!(offset >= before.acknowledged)) {
      throw this.violation(`its offset went down from ${before.acknowledged} to ${header}`)
    }
    if (offset > this.#sent) {
      throw this.violation(`its offset is ${offset}, but only ${this.#sent} bytes were sent`)
    }
    if (offset > this.#acknowledged) this.movedAt = Date.now()
    this.#acknowledged = Math.max(this.#acknowledged, offset)
    return offset
  }

  /** The length is settled: a request that named it was carried out. */
  declaredLength(): void {
    this.#lengthDeclared = true
  }
}
