import { type Column, compare } from './compare.ts'
import { landfallOnS3, stockOnS3 } from './contestants.ts'
import { type Lane, median } from './lane.ts'
import { type BenchS3, startS3, totalOf } from './s3.ts'
import { openLandfall, openStock, type SeededServer } from './seeded-upload.ts'
import { appendTo, readOffset, someBytes } from './tus-client.ts'

/** One less than S3 takes, so that there is room for what is appended. */
const manyParts = 9_999
const heads = 20
const patches = 10
const patchSize = 1_000
/** Of each, before anything is measured. */
const warmUp = 10

interface Cost {
  /** The most a request took. */
  readonly calls: number
  readonly milliseconds: number
}

interface Measurement {
  readonly head: Cost
  readonly patch: Cost
  /** The same for an upload with one part. */
  readonly headOfOne: Cost
  readonly patchOfOne: Cost
}

/** What it costs to ask for an upload, and to add to it, when it has many parts. */
export const s3Parts: Lane = {
  name: 's3-parts',
  description: `HEAD, and a PATCH of 1 kB, of an upload with ${manyParts} parts and of one with 1`,
  usualSize: undefined,
  async run({ rounds, s3LatencyMs }) {
    await compare({
      contestants: [
        { ...landfallOnS3, open: openLandfall },
        { ...stockOnS3, open: openStock },
      ],
      rounds,
      columns,
      measure: ({ open }) => measure(open, s3LatencyMs),
    })
  },
}

const columns: readonly Column<Measurement>[] = [
  { title: 'HEAD S3 calls', value: ({ head }) => head.calls },
  { title: 'ms', value: ({ head }) => head.milliseconds },
  {
    title: '÷ 1 part',
    value: ({ head, headOfOne }) => head.milliseconds / headOfOne.milliseconds,
  },
  { title: 'PATCH S3 calls', value: ({ patch }) => patch.calls },
  { title: 'ms', value: ({ patch }) => patch.milliseconds },
  {
    title: '÷ 1 part',
    value: ({ patch, patchOfOne }) => patch.milliseconds / patchOfOne.milliseconds,
  },
]

async function measure(
  open: (s3: BenchS3, partCounts: readonly number[]) => Promise<SeededServer>,
  latencyMs: number,
): Promise<Measurement> {
  await using s3 = await startS3(latencyMs)
  await using server = await open(s3, [1, manyParts])
  const [one = '', many = ''] = server.urls
  const ofOne = await costs(s3, one)
  const ofMany = await costs(s3, many)
  return {
    head: ofMany.head,
    patch: ofMany.patch,
    headOfOne: ofOne.head,
    patchOfOne: ofOne.patch,
  }
}

async function costs(s3: BenchS3, url: string): Promise<{ head: Cost; patch: Cost }> {
  let offset = await readOffset(url)
  const bytes = someBytes(patchSize)
  const append = async () => {
    await appendTo(url, offset, bytes)
    offset += bytes.length
  }
  const head = await costOf(s3, heads, () => readOffset(url))
  const patch = await costOf(s3, patches, append)
  return { head, patch }
}

async function costOf(s3: BenchS3, times: number, work: () => Promise<unknown>): Promise<Cost> {
  for (let done = 0; done < warmUp; done += 1) await work()
  const taken: number[] = []
  let calls = 0
  for (let done = 0; done < times; done += 1) {
    await s3.reset()
    const begun = performance.now()
    await work()
    taken.push(performance.now() - begun)
    calls = Math.max(calls, totalOf(await s3.counts()))
  }
  return { calls, milliseconds: median(taken) }
}
