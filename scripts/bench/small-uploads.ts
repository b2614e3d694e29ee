import { type Column, compare } from './compare.ts'
import type { Contestant, RunningServer, StartOptions } from './contestants.ts'
import type { Lane } from './lane.ts'
import { busyColumns, type Metered, meter } from './meter.ts'
import { totalOf } from './s3.ts'
import { someBytes, uploadAtOnce } from './tus-client.ts'

const fileSize = 200 * 1024
/** Node has compiled what matters by then; before, both stacks are up to twice as slow. */
const warmUp = 1_000
const count = 1_000

type Calls = Readonly<Record<string, number>>

interface Measurement extends Metered {
  /** By operation, for one upload, until it was answered; undefined on disk. */
  readonly calls: Calls | undefined
}

/** Files in the request that creates them, as photos come; they are no images, so none is converted. */
export function smallUploadsLane(name: string, contestants: readonly Contestant[]): Lane {
  return {
    name,
    description: `${count} files of 200 KiB by creation-with-upload, 8 at a time and one by one`,
    usualSize: undefined,
    async run({ rounds, s3LatencyMs }) {
      for (const concurrency of [8, 1]) {
        console.log(`\n  ${concurrency} at a time`)
        const measured = await compare({
          contestants,
          rounds,
          columns,
          measure: (contestant) => measure(contestant, { s3LatencyMs }, concurrency),
        })
        for (const [{ shortName }, [first]] of measured) printCalls(shortName, first?.calls ?? {})
      }
    },
  }
}

const columns: readonly Column<Measurement>[] = [
  { title: 'uploads/s', value: ({ seconds }) => count / seconds },
  { title: 'CPU ms each', value: ({ cpuSeconds }) => (cpuSeconds * 1e3) / count },
  { title: 'until settled', value: ({ settledCpuSeconds }) => (settledCpuSeconds * 1e3) / count },
  { title: 'S3 calls', value: ({ calls }) => (calls ? totalOf(calls) : Number.NaN) },
  { title: 'peak RSS MiB', value: ({ peakMebibytes }) => peakMebibytes },
  { title: 'to disk MiB', value: ({ writtenMebibytes }) => writtenMebibytes },
  ...busyColumns,
]

async function measure(
  contestant: Contestant,
  options: StartOptions,
  concurrency: number,
): Promise<Measurement> {
  await using server = await contestant.start(options)
  const file = someBytes(fileSize)
  await uploadMany(server, file, warmUp, concurrency)
  await server.settled()
  const calls = await callsOfOne(server, file)
  const metered = await meter(server, () => uploadMany(server, file, count, concurrency))
  return { ...metered, calls }
}

async function uploadMany(
  { filesUrl }: RunningServer,
  file: Buffer,
  total: number,
  concurrency: number,
): Promise<void> {
  let left = total
  const work = async () => {
    while (left > 0) {
      left -= 1
      await uploadAtOnce(filesUrl, file)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
}

/** What comes after the answer is background work: it is not waited for, and not counted. */
async function callsOfOne(server: RunningServer, file: Buffer): Promise<Calls | undefined> {
  if (!server.s3) return undefined
  await server.s3.reset()
  await uploadAtOnce(server.filesUrl, file)
  const answeredAt = performance.timeOrigin + performance.now()
  await server.settled()
  return server.s3.counts(answeredAt)
}

function printCalls(shortName: string, calls: Calls): void {
  const list = Object.entries(calls).map(([operation, times]) => `${times} ${operation}`)
  if (list.length > 0) console.log(`S3 calls of one upload, ${shortName}: ${list.join(', ')}`)
}
