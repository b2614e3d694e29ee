/** What a process used, as Linux tells it under /proc. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessUsage {
  /** User and system time of the process and all its children, living and ended. */
  readonly cpuSeconds: number
  /** The most resident memory the process itself ever had, without its children. */
  readonly peakBytes: number
}

/** Undefined where there is no /proc. */
export function readUsage(pid: number): ProcessUsage | undefined {
  try {
    return { cpuSeconds: ticksOf(pid) / ticksPerSecond(), peakBytes: peakOf(pid) }
  } catch {
    return undefined
  }
}

function ticksOf(pid: number): number {
  // The second field is the command in parentheses and may hold spaces; utime is the 14th field.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), own)
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number),
  )
}

function peakOf(pid: number): number {
  const [, kibibytes] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}

function ticksPerSecond(): number {
  return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
}
