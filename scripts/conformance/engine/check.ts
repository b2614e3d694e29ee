/** Compares what was seen with what a row expects. */
import type { Expected, HeaderRule, InterimRule, StatusRule } from './row.ts'
import type { Headers, Interim, Outcome } from './wire.ts'

export interface Mismatch {
  readonly what: string
  readonly wanted: string
  readonly seen: string
}

export type Expand = (text: string) => string

/** Everything that is not as expected; empty when all is well. */
export function check(outcome: Outcome, expected: Expected, expand: Expand): Mismatch[] {
  const interim = [
    ...(expected.interim ?? []).flatMap((rule) => checkInterim(outcome.interim, rule, expand)),
    ...(expected.steadyProgress ? checkProgress(outcome.interim) : []),
  ]
  if (outcome.kind !== 'answer') {
    if (outcome.kind === 'closed' && expected.orClosed) return interim
    const seen = outcome.kind === 'closed' ? 'the connection ended' : 'no answer in time'
    return [{ what: 'answer', wanted: wantedStatus(expected), seen }, ...interim]
  }
  const { status, headers, body } = outcome.answer
  return [
    ...checkStatus(status, expected),
    ...checkHeaders(headers, expected.headers ?? {}, expand),
    ...interim,
    ...(expected.sameLocation ? checkLocation(headers, outcome.interim) : []),
    ...checkProblem(headers, body, expected.problem, expand),
  ]
}

export function checkHeaders(
  headers: Headers,
  rules: Readonly<Record<string, HeaderRule>>,
  expand: Expand,
): Mismatch[] {
  return Object.entries(rules).flatMap(([name, rule]) => {
    const value = headers[name.toLowerCase()]
    const accepted = typeof rule === 'string' ? value === expand(rule) : rule.accepts(value, expand)
    if (accepted) return []
    const wanted = typeof rule === 'string' ? expand(rule) : expand(rule.wanted)
    return [{ what: name, wanted, seen: value ?? 'absent' }]
  })
}

function checkStatus(status: number, expected: Expected): Mismatch[] {
  const rules = [expected.status ?? []].flat()
  if (rules.length === 0 || rules.some((rule) => fits(status, rule))) return []
  return [{ what: 'status', wanted: wantedStatus(expected), seen: String(status) }]
}

function fits(status: number, rule: StatusRule): boolean {
  return typeof rule === 'number' ? status === rule : String(status)[0] === rule[0]
}

function wantedStatus({ status, orClosed }: Expected): string {
  const rules = [status ?? 'any'].flat().map(String)
  return [...rules, ...(orClosed ? ['the end of the connection'] : [])].join(' or ')
}

function checkInterim(
  all: readonly Interim[],
  { status, which, headers = {} }: InterimRule,
  expand: Expand,
): Mismatch[] {
  const found = all.filter((interim) => interim.status === status)
  const failing = (interim: Interim) => checkHeaders(interim.headers, headers, expand)
  const named = (mismatch: Mismatch) => ({ ...mismatch, what: `${mismatch.what} of ${status}` })
  switch (which) {
    case 'some': {
      if (found.some((interim) => failing(interim).length === 0)) return []
      if (found.length === 1) return found.flatMap(failing).map(named)
      const names = Object.keys(headers).join(', ')
      const wanted = names ? `one with ${names} as wanted` : 'at least one'
      return [{ what: `interim ${status}`, wanted, seen: found.length === 0 ? 'none' : 'others' }]
    }
    case 'none': {
      const offending = found.filter((interim) => failing(interim).length === 0)
      if (offending.length === 0) return []
      return [{ what: `interim ${status}`, wanted: 'none', seen: String(offending.length) }]
    }
    case 'first':
      return found.slice(0, 1).flatMap(failing).map(named)
    case 'later':
      return found.slice(1).flatMap(failing).map(named)
    case 'every':
      return found.flatMap(failing).map(named)
  }
}

function checkLocation(headers: Headers, interim: readonly Interim[]): Mismatch[] {
  const others = interim.flatMap(({ headers: { location } }) => location ?? [])
  return others
    .filter((location) => location !== headers.location)
    .map((seen) => ({ what: 'Location of 104', wanted: headers.location ?? 'absent', seen }))
}

/** The offsets that 104s told, in their order. */
export function progressOf(interim: readonly Interim[]): number[] {
  return interim.flatMap(({ status, headers }) => {
    const offset = headers['upload-offset']
    return status === 104 && offset !== undefined ? [Number(offset)] : []
  })
}

function checkProgress(interim: readonly Interim[]): Mismatch[] {
  const offsets = progressOf(interim)
  const steady = offsets.every((offset, index) => offset >= (offsets[index - 1] ?? 0))
  if (steady) return []
  return [{ what: 'progress', wanted: 'never less than before', seen: offsets.join(', ') }]
}

function checkProblem(
  headers: Headers,
  body: Buffer,
  members: Expected['problem'],
  expand: Expand,
): Mismatch[] {
  if (members === undefined) return []
  const type = headers['content-type'] ?? 'no content type'
  if (!/^application\/problem\+json\b/.test(type)) {
    return [{ what: 'body', wanted: 'application/problem+json', seen: type }]
  }
  const problem = parseObject(body)
  return Object.entries(members).flatMap(([name, member]) => {
    const wanted = typeof member === 'string' ? expand(member) : member
    const seen = problem.get(name)
    return seen === wanted
      ? []
      : [
          {
            what: `problem's ${name}`,
            wanted: String(wanted),
            seen: JSON.stringify(seen) ?? 'absent',
          },
        ]
  })
}

function parseObject(body: Buffer): Map<string, unknown> {
  try {
    return new Map(Object.entries(JSON.parse(body.toString('utf8')) ?? {}))
  } catch {
    return new Map()
  }
}
