import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { startProgram } from '../../../test/support/program.ts'
import { idOf } from '../../../test/support/upload.ts'
import { waitFor } from '../../../test/support/wait.ts'
import { type DelayProbe, openDelayProbe } from '../event-loop/delay.ts'
import { startServerProcess } from '../server-process.ts'
import { uploadAtOnce } from '../tus-client.ts'

/** What is left to do for files that were handed over. Resolves with the bytes of the renditions. */
export type Conversion = () => Promise<number>

/** Turns photographs into the default presets. */
export interface RunningConverter extends AsyncDisposable {
  /** Of a process that leaves converting to its children. */
  readonly pid: number
  /** How that process keeps up with what it is asked meanwhile. */
  readonly delay: DelayProbe
  /** Hands over files; what converts them may begin at once. */
  bring(files: readonly string[]): Promise<Conversion>
}

export interface ImageContestant {
  readonly name: string
  readonly shortName: string
  /** @param concurrency Files that are converted at the same time, each in a process of its own. */
  start(concurrency: number): Promise<RunningConverter>
}

export const landfallImages: ImageContestant = {
  name: 'Landfall',
  shortName: 'Landfall',
  async start(concurrency) {
    await using resources = new AsyncDisposableStack()
    const delay = resources.use(await openDelayProbe())
    const env = { ...delay.env, CONVERSION_CONCURRENCY: String(concurrency) }
    const program = resources.use(await startProgram({ env }))
    resources.defer(async () => void (await program.stop()))
    const started = resources.move()
    return {
      pid: program.pid,
      delay: delay.of(program.pid),
      bring: (files) => uploadAll(program.url, files),
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    }
  },
}

export const bareImages: ImageContestant = {
  name: 'bare sharp script',
  shortName: 'bare',
  async start(concurrency) {
    await using resources = new AsyncDisposableStack()
    const delay = resources.use(await openDelayProbe())
    const script = join('images', 'bare', 'server.ts')
    const args = (directory: string) => [directory, String(concurrency)]
    const server = resources.use(await startServerProcess(script, args, delay.env))
    const started = resources.move()
    return {
      pid: server.pid,
      delay: delay.of(server.pid),
      bring: async (files) => () => convertAll(server.url, files),
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    }
  },
}

async function convertAll(url: string, files: readonly string[]): Promise<number> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(files) })
  if (!response.ok) throw new Error(`the bare script failed: ${response.status}`)
  return z.object({ bytes: z.number() }).parse(await response.json()).bytes
}

/** As many at a time as a page with a few connections does it. */
const uploadsAtATime = 4

async function uploadAll(url: string, files: readonly string[]): Promise<Conversion> {
  const left = [...files]
  const ids: string[] = []
  const work = async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      ids.push(idOf(await uploadAtOnce(`${url}/files`, await readFile(path))))
    }
  }
  await Promise.all(Array.from({ length: uploadsAtATime }, work))
  return () => untilReady(url, ids)
}

const imageSchema = z.object({
  state: z.string(),
  error: z.unknown().optional(),
  renditions: z.array(z.object({ size: z.number() })),
})

/** Often enough to be right within a hundredth, seldom enough not to be what is measured. */
const look = { intervalMs: 20, timeoutMs: 3_600_000, what: 'an image to be ready' }

/** One after the other: whichever is looked at, the last one to be ready decides. */
async function untilReady(url: string, ids: readonly string[]): Promise<number> {
  let bytes = 0
  for (const id of ids) {
    const image = await waitFor(async () => {
      const response = await fetch(`${url}/v1/images/${id}`)
      const { state, error, renditions } = imageSchema.parse(await response.json())
      if (state === 'failed') throw new Error(`an image failed: ${JSON.stringify(error)}`)
      return state === 'ready' && renditions
    }, look)
    for (const { size } of image) bytes += size
  }
  return bytes
}
