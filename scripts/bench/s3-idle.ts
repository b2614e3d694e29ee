import { type Column, compare } from './compare.ts'
import {
  type Contestant,
  landfallOnS3,
  type RunningServer,
  type StartOptions,
  stockOnS3,
} from './contestants.ts'
import { openHalfway } from './half-open.ts'
import type { Lane } from './lane.ts'
import { readUsage, untilQuiet } from './process-usage.ts'
import { createUpload, fillUpload } from './tus-client.ts'

const mebibyte = 2 ** 20
/** Of silence, after which the normal upload is given up: its throughput is 0 then. */
const stuckAfterMs = 20_000

/** Bytes of an upload before the one that counts: after a pause the first is slower either way. */
const warmUp = 128 * mebibyte

/** The normal upload. */
interface Pace {
  readonly megabytesPerSecond: number
  readonly cpuSeconds: number
}

interface Pair {
  readonly alone: Pace
  readonly beside: Pace
  readonly peakMebibytes: number
}

interface Measurement {
  readonly silent: Pair
  readonly trickling: Pair
}

/** What uploads that were begun and went silent do to one that goes on. */
export const s3Idle: Lane = {
  name: 's3-idle',
  description:
    'one upload to S3, alone and beside 100 half-open ones that sent 3 MiB and then nothing, or a byte a second',
  usualSize: 256 * mebibyte,
  async run({ size, rounds, s3LatencyMs }) {
    await compare({
      contestants: [landfallOnS3, stockOnS3],
      rounds,
      columns,
      measure: async (contestant) => ({
        silent: await measure(contestant, { s3LatencyMs }, size, false),
        trickling: await measure(contestant, { s3LatencyMs }, size, true),
      }),
    })
  },
}

const columns: readonly Column<Measurement>[] = [
  { title: 'alone MB/s', value: ({ silent }) => silent.alone.megabytesPerSecond },
  { title: 'beside silent', value: ({ silent }) => silent.beside.megabytesPerSecond },
  { title: '÷ alone', value: ({ silent }) => slowdown(silent) },
  { title: 'CPU ÷ alone', value: ({ silent }) => extraWork(silent) },
  { title: 'beside trickling', value: ({ trickling }) => trickling.beside.megabytesPerSecond },
  { title: '÷ alone', value: ({ trickling }) => slowdown(trickling) },
  { title: 'CPU ÷ alone', value: ({ trickling }) => extraWork(trickling) },
  {
    title: 'peak RSS MiB',
    value: ({ silent, trickling }) => Math.max(silent.peakMebibytes, trickling.peakMebibytes),
  },
]

function slowdown({ alone, beside }: Pair): number {
  return beside.megabytesPerSecond / alone.megabytesPerSecond
}

function extraWork({ alone, beside }: Pair): number {
  return beside.cpuSeconds / alone.cpuSeconds
}

/** Alone and beside the others in one process, one right after the other, to be comparable. */
async function measure(
  contestant: Contestant,
  options: StartOptions,
  size: number,
  trickles: boolean,
): Promise<Pair> {
  await using server = await contestant.start(options)
  const alone = await warmUpload(server, size)
  using _ = await openHalfway(server.filesUrl, { count: 100, sent: 3 * mebibyte, trickles })
  const beside = await warmUpload(server, size)
  if (beside.megabytesPerSecond === 0) console.log(`  ${contestant.shortName}: stands still`)
  return { alone, beside, peakMebibytes: readUsage(server.pid).peakBytes / mebibyte }
}

async function warmUpload(server: RunningServer, size: number): Promise<Pace> {
  const first = await upload(server, warmUp)
  return first.megabytesPerSecond === 0 ? first : upload(server, size)
}

async function upload({ pid, filesUrl, settled }: RunningServer, size: number): Promise<Pace> {
  await untilQuiet(pid)
  const before = readUsage(pid)
  const begun = performance.now()
  const isDone = await fillUpload(
    await createUpload(filesUrl, size),
    size,
    size,
    stuckAfterMs,
  ).then(
    () => true,
    () => false,
  )
  const seconds = (performance.now() - begun) / 1_000
  const { cpuSeconds } = readUsage(pid)
  await settled()
  return isDone
    ? { megabytesPerSecond: size / 1e6 / seconds, cpuSeconds: cpuSeconds - before.cpuSeconds }
    : { megabytesPerSecond: 0, cpuSeconds: Number.NaN }
}
