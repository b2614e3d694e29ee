import { createRequire } from 'node:module'
import { z } from 'zod'
import { startProgram } from '../../test/support/program.ts'
import { waitFor } from '../../test/support/wait.ts'
import { type BenchS3, startS3 } from './s3.ts'
import { startServerProcess } from './server-process.ts'

/** A tus server in a process of its own, on empty storage. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number
  /** Where uploads are created. */
  readonly filesUrl: string
  /** What it stores into; undefined on disk. */
  readonly s3: BenchS3 | undefined
  /** Waits until the server has done everything the uploads make it do. */
  settled(): Promise<void>
}

export interface StartOptions {
  /** The least a call to S3 takes. */
  readonly s3LatencyMs: number
}

export interface Contestant {
  readonly name: string
  /** For the rows of ratios. */
  readonly shortName: string
  start(options: StartOptions): Promise<RunningServer>
}

export const landfallOnDisk: Contestant = {
  name: 'Landfall',
  shortName: 'Landfall',
  start: () => startLandfall(undefined),
}

export const stockOnDisk: Contestant = {
  name: stockName('@tus/file-store'),
  shortName: 'stock',
  start: async () => {
    const server = await startServerProcess('stock/server.ts', (directory) => [directory])
    return unsettling(server, undefined)
  },
}

export const landfallOnS3 = onS3('Landfall', 'Landfall', startLandfall)

export const stockOnS3 = onS3(stockName('@tus/s3-store'), 'stock', startStockOnS3)

/** Reads and sends, and nothing else: what any server has to spend. */
export const relayOnS3 = onS3('bare Node relay', 'relay', async (s3) =>
  unsettling(await startServerProcess('relay/server.ts', undefined, s3.env), s3),
)

function onS3(
  name: string,
  shortName: string,
  start: (s3: BenchS3) => Promise<RunningServer>,
): Contestant {
  return {
    name,
    shortName,
    async start({ s3LatencyMs }) {
      await using resources = new AsyncDisposableStack()
      const s3 = resources.use(await startS3(s3LatencyMs))
      const server = resources.use(await start(s3))
      await s3.reset()
      const started = resources.move()
      return { ...server, [Symbol.asyncDispose]: () => started.disposeAsync() }
    },
  }
}

/** @param dataDir Kept; left out, a fresh one. */
export async function startLandfall(
  s3: BenchS3 | undefined,
  dataDir?: string,
): Promise<RunningServer> {
  const program = await startProgram({
    ...(s3 && { env: s3.env }),
    ...(dataDir !== undefined && { dataDir }),
  })
  return {
    pid: program.pid,
    filesUrl: `${program.url}/files`,
    s3,
    settled: () => untilNothingWaits(program.url),
    [Symbol.asyncDispose]: async () => {
      await program.stop().finally(() => program[Symbol.asyncDispose]())
    },
  }
}

export async function startStockOnS3(s3: BenchS3): Promise<RunningServer> {
  return unsettling(await startServerProcess('stock/s3-server.ts', undefined, s3.env), s3)
}

function unsettling(
  server: AsyncDisposable & { readonly pid: number; readonly url: string },
  s3: BenchS3 | undefined,
): RunningServer {
  return {
    pid: server.pid,
    filesUrl: `${server.url}/files`,
    s3,
    settled: async () => {},
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const listed = z.object({ items: z.array(z.object({ state: z.string() })) })

/** Seldom enough not to be what is measured. */
const lookEveryMs = 100

async function untilNothingWaits(url: string): Promise<void> {
  const states = async (path: string) => {
    const response = await fetch(`${url}${path}`)
    if (!response.ok) throw new Error(`GET ${path} was answered ${response.status}`)
    return listed.parse(await response.json()).items.map(({ state }) => state)
  }
  await waitFor(
    async () =>
      (await states('/v1/images?state=processing&limit=1')).length === 0 &&
      !(await states('/v1/uploads?limit=10')).includes('assembling'),
    { timeoutMs: 300_000, intervalMs: lookEveryMs, what: 'the uploads to be worked off' },
  )
}

function stockName(store: string): string {
  return `@tus/server ${versionOf('@tus/server')} + ${store} ${versionOf(store)}`
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url)
  const [directory] = require.resolve(name).split(`/node_modules/${name}/`)
  const manifest: unknown = require(`${directory}/node_modules/${name}/package.json`)
  return z.object({ version: z.string() }).parse(manifest).version
}
