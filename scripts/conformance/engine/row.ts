/** What a row of a table says: data only. `run-row.ts` is what runs it. */

/**
 * MUST and SHOULD as the specification has them (RECOMMENDED is SHOULD). A plain statement of what
 * a server does, and a freedom that clients are given (their MAY), count as MUST: a server that is
 * otherwise breaks a client that keeps to the text. `convention` is what the text leaves open or
 * gives servers a choice in, and what clients rely on all the same.
 */
export type Level = 'MUST' | 'SHOULD' | 'convention'

/** Where a row comes from. */
export interface Source {
  readonly level: Level
  /** The section's name or number in its specification. */
  readonly section: string
}

export const must = (section: string): Source => ({ level: 'MUST', section })
export const should = (section: string): Source => ({ level: 'SHOULD', section })
export const convention = (section: string): Source => ({ level: 'convention', section })

/**
 * In the strings of a row `{a}` stands for the absolute URL of the upload named a, `{a.path}` for
 * its path, and other names for what discovery or an earlier step put there.
 */
export interface Row {
  /** Unique in its table. */
  readonly id: string
  readonly from: Source
  readonly says: string
  /** Features without which the row is not applicable, as `discover.ts` names them. */
  readonly needs?: readonly string[]
  /** Features with which the row is not applicable. */
  readonly lacks?: readonly string[]
  readonly steps: readonly Step[]
}

/** What the specification asks for and nobody can see from outside. */
export interface Unobservable {
  readonly from: Source
  readonly says: string
  readonly unobservable: string
}

export interface Table {
  readonly name: string
  /** The specification, as it is named before a section. */
  readonly specification: string
  /** Features without which nothing of the table is offered. */
  readonly needs: readonly string[]
  /** For IETF tables, which rules they hold. */
  readonly interop?: Interop
  readonly rows: readonly Row[]
  readonly unobservable: readonly Unobservable[]
}

export type Interop = '5' | '6' | 'newest'

export interface Request {
  readonly method: string
  readonly to: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** Sent in chunks and without its length. */
  readonly chunked?: boolean
  readonly trailers?: Readonly<Record<string, string>>
}

export type Step =
  | SendStep
  | BeginStep
  | FinishStep
  | { readonly kind: 'cut'; readonly call: string }
  | ContentStep

/** A whole request and its answer; asked again and again until the answer fits, when `patiently`. */
export interface SendStep {
  readonly kind: 'send'
  readonly request: Request
  readonly expect: Expected
  /** The name of the upload that the answer's Location tells. */
  readonly as?: string
  readonly patiently?: boolean
  readonly remember?: Remembered
}

/** A request whose body stops in the middle. It goes on until it is finished or cut. */
export interface BeginStep {
  readonly kind: 'begin'
  readonly call: string
  readonly request: Request
  /** How many bytes of the body are sent. */
  readonly sent: number
  /** What to wait for: 100, a 104 that tells the upload's URL, or a 104 that tells progress. */
  readonly until?: 'continue' | 'location' | 'progress'
  readonly as?: string
}

/** Sends what is left of a request, unless it is answered already. */
export interface FinishStep {
  readonly kind: 'finish'
  readonly call: string
  readonly expect: Expected
}

/** What the stored upload holds; or that there is nothing to be had, when nothing is said about it. */
export interface ContentStep {
  readonly kind: 'content'
  readonly of: string
  readonly equals?: Buffer
  /** What the content has to be the beginning of. */
  readonly prefixOf?: Buffer
  readonly headers?: Readonly<Record<string, HeaderRule>>
}

/** Keeps a header of the answer, or a member of its dictionary, for later steps. */
export interface Remembered {
  readonly name: string
  readonly header: string
  readonly member?: string
  /** The value counts seconds from now: what is kept is the moment that it means. */
  readonly asMoment?: boolean
}

/** `2xx` and so on stand for all of a class. */
export type StatusRule = number | `${1 | 2 | 3 | 4 | 5}xx`

export interface Expected {
  readonly status?: StatusRule | readonly StatusRule[]
  /** A connection that ends without an answer will do, too. */
  readonly orClosed?: boolean
  readonly headers?: Readonly<Record<string, HeaderRule>>
  readonly interim?: readonly InterimRule[]
  /** All 104s that tell a Location, and the final answer, tell the same. */
  readonly sameLocation?: boolean
  /** The Upload-Offset of 104s never goes down. */
  readonly steadyProgress?: boolean
  /** Members of the problem document in the body. */
  readonly problem?: Readonly<Record<string, string | number>>
}

export type HeaderRule = string | Matcher

export interface Matcher {
  /** Ends a sentence that begins with the header's name. */
  readonly wanted: string
  accepts(value: string | undefined, expand: (text: string) => string): boolean
}

export interface InterimRule {
  readonly status: number
  /** `first` and `every` hold also when there is none. */
  readonly which: 'some' | 'first' | 'later' | 'every' | 'none'
  readonly headers?: Readonly<Record<string, HeaderRule>>
}
