/** What Linux says about processes: whose children they are, what they do, what they hold. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessView {
  readonly pid: number
  readonly parent: number
  /** `R` runs, `S` sleeps, `Z` has ended and waits to be noticed, … */
  readonly state: string
  /** Time of the processor it has used so far, in ticks. */
  readonly ticks: number
}

/** Why tests that look at processes cannot run here; undefined where they can. */
export const missingProcesses = existsSync('/proc/self/stat')
  ? undefined
  : 'It looks at processes in /proc, which this system does not have.'

/** The processes that this one started, without those that have ended. */
export function childrenOf(pid: number): ProcessView[] {
  return allProcesses().filter(({ parent, state }) => parent === pid && state !== 'Z')
}

/** Those, and the ones that they started, and so on. */
export function descendantsOf(pid: number): ProcessView[] {
  const all = allProcesses()
  const under = (parent: number): ProcessView[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...under(each.pid)])
  return under(pid)
}

export function isRunning(pid: number): boolean {
  return viewOf(pid) !== undefined
}

/** Bytes of memory a process has in use, shared ones included; 0 once it is gone. */
export function residentBytes(pid: number): number {
  const status = tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8'))
  return 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1] ?? 0)
}

/** The files a process has open, by path; others than files by what they are. */
export function openFilesOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`
  const names = tryRead(() => readdirSync(directory)) ?? []
  return names.flatMap((name) => tryRead(() => readlinkSync(`${directory}/${name}`)) ?? [])
}

function allProcesses(): ProcessView[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => viewOf(Number(name)) ?? [])
}

function viewOf(pid: number): ProcessView | undefined {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The name, in parentheses, may hold anything; what follows is separated by spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!fields) return undefined
  const [state = '', parent] = fields
  return { pid, parent: Number(parent), state, ticks: Number(fields[11]) + Number(fields[12]) }
}

/** Undefined for what went away while it was looked at. */
function tryRead<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
