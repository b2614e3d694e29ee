/** What a process used, as Linux tells it under /proc. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface ProcessUsage {
  /** User and system time of the process and all its children, living and ended. */
  readonly cpuSeconds: number
  /** The most resident memory the process itself ever had, without its children. */
  readonly peakBytes: number
  /**
   * What the process and its living children gave the system to write to disks, as it is counted
   * when the page cache takes it: files that are gone before they reach the disk count. Zero on a
   * file system that lives in memory.
   */
  readonly writtenBytes: number
}

/** NaN throughout where there is no /proc. */
export function readUsage(pid: number): ProcessUsage {
  try {
    return {
      cpuSeconds: ticksOf(pid) / ticksPerSecond(),
      peakBytes: peakOf(pid),
      writtenBytes: writtenBy(pid),
    }
  } catch {
    return { cpuSeconds: Number.NaN, peakBytes: Number.NaN, writtenBytes: Number.NaN }
  }
}

function ticksOf(pid: number): number {
  // The second field is the command in parentheses and may hold spaces; utime is the 14th field.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), own)
}

/** The processes it started that are still there. @throws when it is gone. */
export function childrenOf(pid: number): number[] {
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

function writtenBy(pid: number): number {
  const [, own] = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8')) ?? []
  return childrenOf(pid).reduce((sum, child) => sum + writtenBy(child), Number(own))
}

let ticks: number | undefined

function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

/** Of CPU time, under which a process is as good as idle, and the milliseconds it is looked at. */
const quiet = { cpuSeconds: 0.02, lookMs: 300, giveUpMs: 20_000 }

/** Waits until a process does next to nothing, or as long as is reasonable. */
export async function untilQuiet(pid: number): Promise<void> {
  const deadline = performance.now() + quiet.giveUpMs
  let before = readUsage(pid).cpuSeconds
  while (performance.now() < deadline) {
    await delay(quiet.lookMs)
    const now = readUsage(pid).cpuSeconds
    if (!(now - before > quiet.cpuSeconds)) return
    before = now
  }
}
