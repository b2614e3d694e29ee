/** Runs the steps of a row against a server, and removes what they made. */
import { check, checkHeaders, type Mismatch, progressOf } from './check.ts'
import { bytesOf, headersOf, readContent, type Seen } from './content.ts'
import { parseDictionary } from './dictionary.ts'
import type { ContentStep, Row, SendStep, Step } from './row.ts'
import type { Server } from './server.ts'
import { Call, exchange, type Interim, type Outcome, type WireRequest } from './wire.ts'

export interface Finding extends Mismatch {
  /** What was being done, as `PATCH {a}`. */
  readonly during: string
}

export type RowOutcome = 'passed' | 'failed' | 'not applicable'

export interface RowResult {
  readonly row: Row
  readonly outcome: RowOutcome
  readonly findings: readonly Finding[]
  /** Whether effects on content could not be looked at. */
  readonly unchecked: boolean
  /** Why the row is not applicable. */
  readonly reason?: string
}

/** Never throws for what a server does. Rows share nothing but the server. */
export async function runRow(row: Row, server: Server): Promise<RowResult> {
  const reason = whyNotApplicable(row, server)
  if (reason !== undefined) {
    return { row, outcome: 'not applicable', findings: [], unchecked: false, reason }
  }
  const run = new RowRun(server)
  try {
    for (const step of row.steps) {
      const findings = await run.perform(step)
      if (findings.length > 0) {
        return { row, outcome: 'failed', findings, unchecked: run.unchecked }
      }
    }
    return { row, outcome: 'passed', findings: [], unchecked: run.unchecked }
  } finally {
    await run.cleanUp()
  }
}

function whyNotApplicable({ needs = [], lacks = [] }: Row, { features }: Server) {
  const missing = needs.filter((feature) => !features.has(feature))
  if (missing.length > 0) return `needs ${missing.join(', ')}`
  const extra = lacks.filter((feature) => features.has(feature))
  return extra.length > 0 ? `only without ${extra.join(', ')}` : undefined
}

class RowRun {
  unchecked = false
  readonly #server: Server
  readonly #variables: Map<string, string>
  readonly #calls = new Map<string, { call: Call; title: string }>()
  readonly #made = new Set<string>()

  constructor(server: Server) {
    this.#server = server
    this.#variables = new Map(server.variables)
  }

  /** What was not as expected. */
  async perform(step: Step): Promise<Finding[]> {
    switch (step.kind) {
      case 'send':
        return this.#send(step)
      case 'begin': {
        const wire = this.#wire(step.request)
        const call = new Call(wire, this.#server.patienceMs)
        this.#calls.set(step.call, { call, title: `${step.request.method} ${step.request.to}` })
        await call.send(step.sent)
        await call.waitFor(awaited[step.until ?? 'nothing'], this.#server.patienceMs / 4)
        this.#note(call.interim, wire.url, step.as)
        return []
      }
      case 'finish': {
        const { call, title } = this.#call(step.call)
        const outcome = await call.finish()
        this.#note(outcome.interim, this.#server.target)
        return check(outcome, step.expect, this.#expand).map(during(`rest of ${title}`))
      }
      case 'cut': {
        const { call } = this.#call(step.call)
        await call.cut()
        this.#note(call.interim, this.#server.target)
        return []
      }
      case 'content':
        return this.#content(step)
    }
  }

  /** Cuts what still goes on and deletes what was made, finals before their partials. */
  async cleanUp(): Promise<void> {
    for (const { call } of this.#calls.values()) await call.cut()
    for (const url of [...this.#made].reverse()) {
      const headers = this.#server.removalHeaders
      await exchange({ method: 'DELETE', url: new URL(url), headers }, this.#server.patienceMs)
    }
  }

  async #send(step: SendStep): Promise<Finding[]> {
    const wire = this.#wire(step.request)
    const give = Date.now() + this.#server.settleMs
    for (;;) {
      const outcome = await exchange(wire, this.#server.patienceMs)
      this.#note(outcome.interim, wire.url, step.as)
      this.#noteAnswer(outcome, wire.url, step)
      const findings = check(outcome, step.expect, this.#expand)
      if (findings.length === 0 || !step.patiently || Date.now() > give) {
        return findings.map(during(`${step.request.method} ${step.request.to}`))
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async #content({ of, equals, prefixOf, headers }: ContentStep): Promise<Finding[]> {
    if (!this.#server.features.has('content')) {
      this.unchecked = true
      return []
    }
    const url = new URL(this.#expand(`{${of}}`), this.#server.target)
    const accept = (seen: Seen) => {
      const bytes = bytesOf(seen)
      if (prefixOf) return bytes?.equals(prefixOf.subarray(0, bytes.length)) ?? false
      return equals === undefined ? seen === undefined : (bytes?.equals(equals) ?? false)
    }
    const found = await readContent(this.#server, url, accept)
    const findings = accept(found)
      ? checkHeaders(headersOf(found), headers ?? {}, this.#expand)
      : [
          {
            what: 'content',
            wanted: prefixOf ? 'the beginning of what was sent' : describe(equals),
            seen: found instanceof Error ? found.message : describe(found?.bytes),
          },
        ]
    return findings.map(during(`reading the content of {${of}}`))
  }

  #wire({ method, to, headers = {}, ...rest }: SendStep['request']): WireRequest {
    const url = new URL(this.#expand(to), this.#server.target)
    const expanded = Object.entries({ ...this.#server.headers, ...headers }).map(
      ([name, value]) => [name, this.#expand(value)] as const,
    )
    return { method, url, headers: Object.fromEntries(expanded), ...rest }
  }

  #note(interim: readonly Interim[], base: URL, as?: string): void {
    const location = interim.find(({ headers }) => headers.location)?.headers.location
    if (location) this.#noteUpload(location, base, as)
    const progress = progressOf(interim).at(-1)
    if (progress !== undefined) this.#variables.set('progress', String(progress))
  }

  #noteAnswer(outcome: Outcome, base: URL, { as, remember }: SendStep): void {
    if (outcome.kind !== 'answer') return
    const { status, headers } = outcome.answer
    const created = status >= 200 && status < 300 && base.pathname === this.#server.target.pathname
    // A 104 tells the upload's URL for sure; a final answer may tell another resource's.
    const told = outcome.interim.some((interim) => interim.headers.location)
    if (created && !told && headers.location) this.#noteUpload(headers.location, base, as)
    const value = headers[remember?.header.toLowerCase() ?? '']
    if (remember === undefined || value === undefined) return
    const member = remember.member && parseDictionary(value)?.get(remember.member)
    const kept = typeof member === 'number' ? member : value
    const moment = remember.asMoment ? Date.now() / 1000 + Number(kept) : kept
    this.#variables.set(remember.name, String(moment))
  }

  #noteUpload(location: string, base: URL, as?: string): void {
    if (!URL.canParse(location, base.href)) return
    const url = new URL(location, base)
    if (!/^https?:$/.test(url.protocol)) return
    this.#made.add(url.href)
    if (as === undefined) return
    this.#variables.set(as, url.href)
    this.#variables.set(`${as}.path`, url.pathname + url.search)
    this.#variables.set(`${as}.location`, location)
  }

  #call(name: string): { call: Call; title: string } {
    const found = this.#calls.get(name)
    if (found === undefined) throw new Error(`no call was begun that is named ${name}`)
    return found
  }

  /** What is unknown stays as it is: the server is asked for nonsense, and the row says so. */
  readonly #expand = (text: string): string =>
    text.replace(/\{([^{}]+)\}/g, (whole, name: string) => this.#variables.get(name) ?? whole)
}

const awaited = {
  nothing: () => true,
  continue: ({ status }: Interim) => status === 100,
  location: ({ status, headers }: Interim) => status === 104 && headers.location !== undefined,
  progress: ({ status, headers }: Interim) =>
    status === 104 && headers['upload-offset'] !== undefined,
}

function during(title: string): (mismatch: Mismatch) => Finding {
  return (mismatch) => ({ ...mismatch, during: title })
}

function describe(bytes: Buffer | undefined): string {
  if (bytes === undefined) return 'nothing'
  return bytes.length <= 40 ? JSON.stringify(bytes.toString('latin1')) : `${bytes.length} bytes`
}
