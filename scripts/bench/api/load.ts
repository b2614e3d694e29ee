/**
 * Asks a server as often as it answers, for as long as it is told to, and writes what came out as
 * JSON. A process of its own, so that what it takes is not taken from who measures. Argument: `Load`.
 */
import autocannon from 'autocannon'
import { z } from 'zod'
import { namesOf, popular } from '../seed/names.ts'

const loadSchema = z.object({
  url: z.string(),
  /** Of the seeded database. */
  count: z.int(),
  seconds: z.number(),
  token: z.string().optional(),
  /** At the same time. */
  streams: z
    .array(
      z.object({
        what: z.enum(['image', 'posts', 'posts by comments', 'comment']),
        connections: z.int(),
      }),
    )
    .readonly(),
})
export type Load = z.infer<typeof loadSchema>
type What = Load['streams'][number]['what']

/** How many pages of a list are read, from its first on. */
const pages = 40

const load = loadSchema.parse(JSON.parse(process.argv[2] ?? ''))
const names = namesOf(load.count)
const headers = load.token ? { authorization: `Bearer ${load.token}` } : {}

const prepared = await Promise.all(
  load.streams.map(async (stream) => ({ ...stream, request: await requestOf(stream.what) })),
)
const before = process.cpuUsage()
const streams = await Promise.all(prepared.map(run))
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ streams, cpuSeconds: (user + system) / 1e6 }))

interface Prepared {
  readonly connections: number
  readonly request: autocannon.Request
}

async function run({ connections, request }: Prepared) {
  const result = await autocannon({
    url: load.url,
    connections,
    duration: load.seconds,
    headers,
    requests: [request],
  })
  const failures = result.non2xx + result.errors + result.timeouts
  if (failures > 0) throw new Error(`${failures} of ${result.requests.sent} requests failed`)
  return {
    requests: result['2xx'],
    perSecond: result['2xx'] / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
  }
}

async function requestOf(what: What): Promise<autocannon.Request> {
  switch (what) {
    case 'image':
      return reading(() => `/v1/images/${names.images.id(below(load.count))}`)
    case 'posts':
      return readingOneOf(await pagesFrom('/v1/posts?limit=20&comments=2'))
    case 'posts by comments':
      return readingOneOf(await pagesFrom('/v1/posts?limit=20&comments=2&sort=comments'))
    case 'comment':
      return {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ text: 'Where was this? I want to go there as well.' }),
        setupRequest: (request) => {
          const post = names.posts.id(popular(load.count, Math.random()))
          return { ...request, path: `/v1/posts/${post}/comments` }
        },
      }
  }
}

function reading(path: () => string): autocannon.Request {
  return { method: 'GET', setupRequest: (request) => ({ ...request, path: path() }) }
}

function readingOneOf(paths: readonly string[]): autocannon.Request {
  return reading(() => paths[below(paths.length)] ?? '')
}

/** The first pages of a list, as its cursors lead to them. */
async function pagesFrom(first: string): Promise<string[]> {
  const paths = [first]
  for (let path = first; paths.length < pages; ) {
    const response = await fetch(new URL(path, load.url), { headers })
    if (!response.ok) throw new Error(`GET ${path} was answered ${response.status}`)
    const { nextCursor } = z
      .object({ nextCursor: z.string().nullable() })
      .parse(await response.json())
    if (nextCursor === null) break
    path = `${first}&cursor=${encodeURIComponent(nextCursor)}`
    paths.push(path)
  }
  return paths
}

function below(count: number): number {
  return Math.floor(Math.random() * count)
}
