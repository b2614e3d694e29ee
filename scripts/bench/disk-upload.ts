import { formatTable } from '../support/text.ts'
import { type Contestant, landfall, stock } from './contestants.ts'
import { type BenchOptions, type Lane, median } from './lane.ts'
import { readUsage } from './process-usage.ts'
import { createUpload, fillUpload } from './tus-client.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

interface Measurement {
  readonly megabytesPerSecond: number
  /** NaN where the system does not tell. */
  readonly cpuSecondsPerGibibyte: number
  readonly peakMebibytes: number
}

/** One upload over loopback to each server's disk, beside the stock tus stack. */
export function diskUpload(name: string, chunkSize: number, how: string): Lane {
  const contestants = [landfall, stock]
  return {
    name,
    description: `one upload to disk over loopback, ${how}`,
    async run({ size, rounds }: BenchOptions) {
      const measured = new Map(contestants.map((contestant) => [contestant, [] as Measurement[]]))
      for (let round = 0; round < rounds; round += 1) {
        // Whoever goes first finds the machine in another state: they take turns.
        for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
          const measurement = await measure(contestant, size, chunkSize)
          measured.get(contestant)?.push(measurement)
          console.log(`  round ${round + 1}  ${cells(measurement).join('  ')}  ${contestant.name}`)
        }
      }
      console.log(`\n${summary(measured)}`)
    },
  }
}

async function measure(
  contestant: Contestant,
  size: number,
  chunkSize: number,
): Promise<Measurement> {
  await using server = await contestant.start()
  const before = readUsage(server.pid)
  const begun = performance.now()
  const url = await createUpload(server.filesUrl, size)
  await fillUpload(url, size, chunkSize)
  const seconds = (performance.now() - begun) / 1_000
  await server.settled(url)
  const after = readUsage(server.pid)
  const cpuSeconds = (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? Number.NaN)
  return {
    megabytesPerSecond: size / 1e6 / seconds,
    cpuSecondsPerGibibyte: (cpuSeconds / size) * gibibyte,
    peakMebibytes: (after?.peakBytes ?? Number.NaN) / mebibyte,
  }
}

const columns = ['megabytesPerSecond', 'cpuSecondsPerGibibyte', 'peakMebibytes'] as const

function summary(measured: ReadonlyMap<Contestant, readonly Measurement[]>): string {
  const medians = [...measured].map(([contestant, measurements]) => ({
    name: contestant.name,
    values: columns.map((column) => median(measurements.map((one) => one[column]))),
  }))
  const [first, second] = medians
  const ratios = first?.values.map((value, index) => value / (second?.values[index] ?? Number.NaN))
  return formatTable(
    ['median', 'MB/s', 'CPU s/GiB', 'peak RSS MiB'],
    [
      ...medians.map(({ name, values }) => [name, ...values.map((value) => show(value))]),
      ['Landfall ÷ stock', ...(ratios ?? []).map((ratio) => `${show(ratio)}×`)],
    ],
  )
}

function cells(measurement: Measurement): string[] {
  const [speed, cpu, peak] = columns.map((column) => show(measurement[column]))
  return [`${speed} MB/s`, `${cpu} CPU s/GiB`, `${peak} MiB peak RSS`]
}

function show(value: number): string {
  return Number.isNaN(value) ? 'unavailable' : value.toFixed(value < 100 ? 2 : 0)
}
