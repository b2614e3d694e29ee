/** The server that is looked at, with what discovery found out about it. */
import type { Headers } from './wire.ts'

export interface Server {
  /** Where uploads are created. */
  readonly target: URL
  /** Sent with every request, such as Authorization. */
  readonly headers: Headers
  /** How to ask for the removal of an upload. */
  readonly removalHeaders: Headers
  /** How long an answer may take. */
  readonly patienceMs: number
  /** How long what an answer promised may take to be seen. */
  readonly settleMs: number
  /** Where content is read, with `{id}` for the last segment of the upload's path. */
  readonly contentTemplate: string | undefined
  readonly features: ReadonlySet<string>
  readonly variables: ReadonlyMap<string, string>
}
