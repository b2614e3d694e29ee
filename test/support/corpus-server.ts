/** A server that is given the corpus, and the eyes that watch it. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import sharp from 'sharp'
import { z } from 'zod'
import type { Entry, Surroundings } from '../fixtures/corpus/entry.ts'
import { Api } from './api.ts'
import { atOnce } from './at-once.ts'
import type { ConversionStand, StandKind } from './conversion-stand.ts'
import { childrenOf, descendantsOf, openFilesOf, residentBytes } from './processes.ts'
import type { LogLine, Program } from './program.ts'
import { sendFile } from './tus-file.ts'
import { verdictOn } from './verdict.ts'
import { waitFor } from './wait.ts'

/** Conversions at a time; a child process each. */
const concurrency = 2
const uploadsAtOnce = 6
const lookMs = 250
/** A process that does nothing uses no more than this in the meantime. */
const idleTicks = 1

export interface Tally {
  readonly ready: number
  readonly failed: number
  readonly seconds: number
  /** What took longest from its upload to its end. */
  readonly slowest: { readonly name: string; readonly seconds: number }
}

export class CorpusServer implements AsyncDisposable {
  readonly program: Program
  readonly api: Api
  readonly stand: ConversionStand
  readonly #resources: AsyncDisposableStack
  readonly #surroundings: Surroundings
  readonly #presets: readonly string[]
  /** Of all children there ever were. */
  readonly #children = new Set<number>()
  #mostChildren = 0
  #visits = 0

  private constructor(
    stand: ConversionStand,
    program: Program,
    resources: AsyncDisposableStack,
    surroundings: Surroundings,
    presets: readonly string[],
  ) {
    this.stand = stand
    this.program = program
    this.api = new Api(program)
    this.#resources = resources
    this.#surroundings = surroundings
    this.#presets = presets
  }

  static async start(kind: StandKind): Promise<CorpusServer> {
    await using stack = new AsyncDisposableStack()
    const stand = stack.use(await kind.create())
    const program = await stand.start({ CONVERSION_CONCURRENCY: String(concurrency) })
    const visited = { by: () => {} }
    const website = await startWebsite(stack, () => visited.by())
    const secretFile = join(stand.dataDir, 'secret.png')
    await writeFile(secretFile, await magenta())
    const presets = await presetsOf(program)
    const resources = stack.move()
    const server = new CorpusServer(stand, program, resources, { secretFile, website }, presets)
    visited.by = () => {
      server.#visits += 1
    }
    const looking = setInterval(() => server.#look(), lookMs)
    resources.defer(() => clearInterval(looking))
    return server
  }

  /** Uploads all of them and waits for their ends. Returns what is wrong, and how they ended. */
  async take(entries: readonly Entry[]): Promise<{ wrong: string[]; tally: Tally }> {
    const wrong: string[] = []
    const tally = { ready: 0, failed: 0, slowest: { name: 'none', seconds: 0 } }
    const began = performance.now()
    await atOnce(entries, uploadsAtOnce, async (entry) => {
      const bytes = await entry.make(this.#surroundings)
      const sent = performance.now()
      const id = await sendFile(this.program.url, bytes, entry)
      const image = await this.api.converted(id)
      const seconds = (performance.now() - sent) / 1_000
      if (seconds > tally.slowest.seconds) tally.slowest = { name: entry.name, seconds }
      tally[image.state === 'ready' ? 'ready' : 'failed'] += 1
      wrong.push(...(await verdictOn(this.api, entry, image, bytes, this.#presets)))
    })
    return { wrong, tally: { ...tally, seconds: (performance.now() - began) / 1_000 } }
  }

  /** How often the drawings made somebody ask the web site. */
  get visits(): number {
    return this.#visits
  }

  /** The most children there were at any look. */
  get mostChildren(): number {
    return this.#mostChildren
  }

  get concurrency(): number {
    return concurrency
  }

  /** Of the server itself, without its children. */
  get residentBytes(): number {
    return residentBytes(this.program.pid)
  }

  /** Resolves once no child of the server works on anything or holds a file of anybody. */
  async untilIdle(): Promise<void> {
    let before = new Map<number, number>()
    await waitFor(
      () => {
        const now = descendantsOf(this.program.pid)
        const still = now.every(({ pid, ticks }) => ticks - (before.get(pid) ?? -9) <= idleTicks)
        before = new Map(now.map(({ pid, ticks }) => [pid, ticks]))
        return still
      },
      { timeoutMs: 60_000, intervalMs: 500, what: 'the child processes to come to rest' },
    )
  }

  /** What there is, when all is over, that should not be. */
  leftovers(): string[] {
    const children = childrenOf(this.program.pid)
    const all = descendantsOf(this.program.pid)
    return [
      ...(children.length > concurrency ? [`${children.length} child processes`] : []),
      ...all.filter(({ parent }) => parent !== this.program.pid).map(({ pid }) => `process ${pid}`),
      ...all.flatMap(({ pid }) => openFilesOf(pid).filter((path) => this.#isWork(path))),
    ]
  }

  /** Every process that was ever a child. */
  get children(): readonly number[] {
    return [...this.#children]
  }

  /** What no operator wants to read in a log after files that are merely bad. */
  get badLogLines(): LogLine[] {
    return this.program.logs.filter(
      (line) => Number(line.level) >= 50 || JSON.stringify(line).includes('"stack"'),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync()
  }

  #look(): void {
    const children = childrenOf(this.program.pid)
    this.#mostChildren = Math.max(this.#mostChildren, children.length)
    for (const { pid } of children) this.#children.add(pid)
  }

  #isWork(path: string): boolean {
    return path.startsWith(this.stand.dataDir)
  }
}

/** A site that answers everything with the picture, and tells of every connection. */
async function startWebsite(stack: AsyncDisposableStack, onVisit: () => void): Promise<string> {
  const picture = await magenta()
  const website = createServer((_, response) => response.end(picture))
  website.on('connection', onVisit)
  website.listen(0, '127.0.0.1')
  await once(website, 'listening')
  stack.defer(() => {
    website.closeAllConnections()
    website.close()
  })
  const address = website.address()
  if (address === null || typeof address === 'string') throw new Error('the site has no port')
  return `http://127.0.0.1:${address.port}`
}

function magenta(): Promise<Buffer> {
  const create = { width: 120, height: 80, channels: 3, background: '#ff00ff' } as const
  return sharp({ create }).png().toBuffer()
}

const configuration = z.object({ presets: z.array(z.object({ name: z.string() })) })

async function presetsOf({ url }: Program): Promise<string[]> {
  const { presets } = configuration.parse(await (await fetch(`${url}/v1/config`)).json())
  return presets.map(({ name }) => name)
}
