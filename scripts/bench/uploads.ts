import { type Column, compare } from './compare.ts'
import type { Contestant, StartOptions } from './contestants.ts'
import type { Lane } from './lane.ts'
import { busyColumns, type Metered, meter } from './meter.ts'
import { createUpload, fillUpload } from './tus-client.ts'

const gibibyte = 2 ** 30

export interface UploadsOptions {
  readonly name: string
  readonly description: string
  readonly contestants: readonly Contestant[]
  /** Bytes of each; the caller of the bench may ask for others when there is one upload. */
  readonly size: number
  /** How many at the same time. */
  readonly count?: number
  /** Bytes of one request; all of them when left out. */
  readonly chunkSize?: number
}

/** Large uploads over loopback, beside the stock tus stack. */
export function uploadsLane(options: UploadsOptions): Lane {
  const { name, description, contestants, count = 1 } = options
  const { chunkSize = Number.MAX_SAFE_INTEGER } = options
  return {
    name,
    description,
    usualSize: count === 1 ? options.size : undefined,
    async run({ rounds, s3LatencyMs, size: asked }) {
      const size = count === 1 ? asked : options.size
      await compare({
        contestants,
        rounds,
        columns: columnsFor(size * count),
        measure: (contestant) => measure(contestant, { s3LatencyMs }, { size, count, chunkSize }),
      })
    },
  }
}

interface Work {
  readonly size: number
  readonly count: number
  readonly chunkSize: number
}

async function measure(
  contestant: Contestant,
  options: StartOptions,
  { size, count, chunkSize }: Work,
): Promise<Metered> {
  await using server = await contestant.start(options)
  return await meter(server, async () => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const url = await createUpload(server.filesUrl, size)
        await fillUpload(url, size, chunkSize)
      }),
    )
  })
}

function columnsFor(bytes: number): readonly Column<Metered>[] {
  const gibibytes = bytes / gibibyte
  return [
    { title: 'MB/s', value: ({ seconds }) => bytes / 1e6 / seconds },
    { title: 'CPU s/GiB', value: ({ cpuSeconds }) => cpuSeconds / gibibytes },
    { title: 'until settled', value: ({ settledCpuSeconds }) => settledCpuSeconds / gibibytes },
    { title: 'peak RSS MiB', value: ({ peakMebibytes }) => peakMebibytes },
    { title: 'to disk MiB', value: ({ writtenMebibytes }) => writtenMebibytes },
    ...busyColumns,
  ]
}
