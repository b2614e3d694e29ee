import { cpus } from 'node:os'
import type { Column } from './compare.ts'
import type { RunningServer } from './contestants.ts'
import { readUsage } from './process-usage.ts'

const mebibyte = 1024 * 1024

type MeteredServer = Pick<RunningServer, 'pid'> & Partial<Pick<RunningServer, 's3' | 'settled'>>

/** What some work cost. NaN for what the system does not tell. */
export interface Metered {
  /** Until the client had its last answer. */
  readonly seconds: number
  /** Of the server and its children, until the client had its last answer. */
  readonly cpuSeconds: number
  /** The same, and what the server did in the background afterwards. */
  readonly settledCpuSeconds: number
  /** Since the server started, background work included. */
  readonly peakMebibytes: number
  readonly writtenMebibytes: number
  /** Cores kept busy while the client worked; by others, too, who make the times worth less. */
  readonly busy: Readonly<Record<'server' | 's3' | 'client' | 'others', number>>
}

/** Lets a client work and looks at what that takes. */
export async function meter(server: MeteredServer, work: () => Promise<void>): Promise<Metered> {
  const before = readAll(server)
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1_000
  const answered = readAll(server)
  await server.settled?.()
  const settled = readUsage(server.pid)
  const cpuSeconds = answered.server.cpuSeconds - before.server.cpuSeconds
  const s3 = answered.s3 - before.s3
  const client = answered.client - before.client
  const others = answered.machine - before.machine - cpuSeconds - (s3 || 0) - client
  return {
    seconds,
    cpuSeconds,
    settledCpuSeconds: settled.cpuSeconds - before.server.cpuSeconds,
    peakMebibytes: settled.peakBytes / mebibyte,
    writtenMebibytes: (settled.writtenBytes - before.server.writtenBytes) / mebibyte,
    busy: {
      server: cpuSeconds / seconds,
      s3: s3 / seconds,
      client: client / seconds,
      others: others / seconds,
    },
  }
}

/** Where a machine's cores went: when the server is not what is busy, something else is measured. */
export const busyColumns: readonly Column<Metered>[] = [
  { title: 'cores: server', value: ({ busy }) => busy.server },
  { title: 'S3', value: ({ busy }) => busy.s3 },
  { title: 'client', value: ({ busy }) => busy.client },
  { title: 'others', value: ({ busy }) => busy.others },
]

function readAll(server: MeteredServer) {
  const { user, system } = process.cpuUsage()
  return {
    server: readUsage(server.pid),
    s3: server.s3 ? readUsage(server.s3.pid).cpuSeconds : Number.NaN,
    client: (user + system) / 1e6,
    machine: machineSeconds(),
  }
}

/** CPU time all processes of the machine took since it started. */
function machineSeconds(): number {
  const times = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq)
  return times.reduce((sum, time) => sum + time, 0) / 1_000
}
