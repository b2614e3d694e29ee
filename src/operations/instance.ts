import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { hasCode } from '../errors.ts'

/** Who this process is when it holds a lease. */
export interface Instance {
  /** `host:pid:uuid`, different at every start. */
  readonly holder: string
  /**
   * True only when the process a lease names is provably gone: it was on this host, and its process
   * id belongs to nobody, or to us without being us (a container's program has the same id at every
   * start). A holder on another host is never provably dead; its leases run out by themselves.
   */
  isDeadHolder(holder: string): boolean
}

export interface InstanceOptions {
  readonly host?: string
  readonly pid?: number
  readonly isRunning?: (pid: number) => boolean
}

/** To be made once in a process: a second one takes the first for a dead predecessor. */
export function createInstance({
  host = hostname(),
  pid = process.pid,
  isRunning = isProcessRunning,
}: InstanceOptions = {}): Instance {
  const holder = `${host}:${pid}:${randomUUID()}`
  return {
    holder,
    isDeadHolder(other) {
      const [, otherHost, otherPid] = /^(.+):(\d+):[^:]+$/.exec(other) ?? []
      if (otherHost !== host || other === holder) return false
      return Number(otherPid) === pid || !isRunning(Number(otherPid))
    },
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
