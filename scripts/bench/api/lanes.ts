/** The same server on a large database and on a small one: what it takes must not grow. */
import { type Column, compare } from '../compare.ts'
import type { BenchOptions, Lane } from '../lane.ts'
import { busyColumns } from '../meter.ts'
import { type Answers, type Measured, measureApi, type Stream } from './measure.ts'

const usualCount = 1_000_000
const smallCount = 1_000
const connections = 50
/** Of those who read while others write. */
const readers = 10

interface Contents {
  readonly name: string
  readonly shortName: string
  /** Of images, and of posts. */
  readonly count: number
}

interface WithAlone extends Measured {
  /** Reads while nobody writes. */
  readonly alone: Answers | undefined
}

const rows = (count: number) => count.toLocaleString('en')

export const apiImages: Lane = {
  name: 'api-images',
  description: `GET /v1/images/{id}, each of 6 renditions, at ${connections} connections`,
  usualSize: undefined,
  usualCount,
  run: (options) => read(options, 'image'),
}

export const apiPosts: Lane = {
  name: 'api-posts',
  description: `GET /v1/posts, 20 posts of 2 comments each, at ${connections} connections`,
  usualSize: undefined,
  usualCount,
  async run(options) {
    console.log('  the newest')
    await read(options, 'posts')
    console.log('\n  those with the most comments')
    await read(options, 'posts by comments')
  },
}

export const apiComments: Lane = {
  name: 'api-comments',
  description: `POST /v1/posts/{id}/comments at ${connections} connections, while ${readers} read GET /v1/posts`,
  usualSize: undefined,
  usualCount,
  async run(options) {
    const reading = { what: 'posts', connections: readers } as const
    const writing = { what: 'comment', connections } as const
    await compare({
      contestants: contentsOf(options),
      rounds: options.rounds,
      columns: [
        ...columnsOf<WithAlone>('comments', ({ streams }) => streams[0]),
        ...columnsOf<WithAlone>('reads', ({ streams }) => streams[1]),
        ...columnsOf<WithAlone>('reads alone', ({ alone }) => alone),
        ...costColumns,
      ],
      measure: async ({ count }) => {
        const [alone] = (await measureApi({ ...options, count, streams: [reading] })).streams
        return { ...(await measureApi({ ...options, count, streams: [writing, reading] })), alone }
      },
    })
  },
}

async function read(options: BenchOptions, what: Stream['what']): Promise<void> {
  await compare({
    contestants: contentsOf(options),
    rounds: options.rounds,
    columns: [...columnsOf<Measured>('requests', ({ streams }) => streams[0]), ...costColumns],
    measure: ({ count }) => measureApi({ ...options, count, streams: [{ what, connections }] }),
  })
}

function contentsOf({ count }: BenchOptions): Contents[] {
  return [
    {
      name: `${rows(count)} images, posts, ${rows(count * 10)} comments`,
      shortName: 'large',
      count,
    },
    {
      name: `${rows(smallCount)} of each, ${rows(smallCount * 10)} comments`,
      shortName: 'small',
      count: smallCount,
    },
  ]
}

function columnsOf<M>(title: string, of: (measured: M) => Answers | undefined): Column<M>[] {
  return [
    { title: `${title}/s`, value: (measured) => of(measured)?.perSecond ?? Number.NaN },
    { title: 'p50 ms', value: (measured) => of(measured)?.p50 ?? Number.NaN },
    { title: 'p99 ms', value: (measured) => of(measured)?.p99 ?? Number.NaN },
  ]
}

const costColumns: readonly Column<Measured>[] = [
  { title: 'CPU s', value: ({ cpuSeconds }) => cpuSeconds },
  { title: 'ms each', value: cpuMsOfEach },
  { title: 'peak RSS MiB', value: ({ peakMebibytes }) => peakMebibytes },
  ...busyColumns,
]

/** What it takes of the server, however much of the machine others take meanwhile. */
function cpuMsOfEach({ cpuSeconds, streams }: Measured): number {
  return (cpuSeconds * 1e3) / streams.reduce((sum, { requests }) => sum + requests, 0)
}
