import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { hasCode } from '../errors.ts'

/** Who this process is when it holds a lease. */
export interface Instance {
  /** `host:pid:uuid`, different at every start. */
  readonly holder: string
  /**
   * True only when the process a lease names is provably gone: it was on this host, and its process
   * id belongs to nobody, or to us without being us. A holder on another host, or in another
   * container, is never provably dead, unless we are alone; its leases run out by themselves.
   */
  isDeadHolder(holder: string): boolean
}

export interface InstanceOptions {
  /** No other instance can be running: the data is ours alone. */
  readonly alone?: boolean
  readonly host?: string
  readonly pid?: number
  readonly isRunning?: (pid: number) => boolean
}

/** To be made once in a process: a second one takes the first for a dead predecessor. */
export function createInstance({
  alone = false,
  host = processSpace(),
  pid = process.pid,
  isRunning = isProcessRunning,
}: InstanceOptions = {}): Instance {
  const holder = `${host}:${pid}:${randomUUID()}`
  return {
    holder,
    isDeadHolder(other) {
      const [, otherHost, otherPid] = /^(.+):(\d+):[^:]+$/.exec(other) ?? []
      if (otherPid === undefined || other === holder) return false
      if (alone) return true
      if (otherHost !== host) return false
      return Number(otherPid) === pid || !isRunning(Number(otherPid))
    },
  }
}

/**
 * Where a process id means the same process: a host, since it was started, and a namespace of ids.
 * Containers on one host may share the name, and have a process 1 each.
 */
function processSpace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]
    return `${hostname()}.${boot}.${namespace}`
  } catch {
    return hostname()
  }
}

function isProcessRunning(pid: number): boolean {
  try {
    // Signal 0 is not delivered; sending it only tells whether it could be.
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}
