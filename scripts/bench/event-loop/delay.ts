import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { waitFor } from '../../../test/support/wait.ts'
import type { Column } from '../compare.ts'
import { startServerProcess } from '../server-process.ts'

/** Milliseconds that work had to wait because the event loop was busy, looked at every 10 ms. */
interface Delay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface EventLoopDelay extends Delay {
  /** Of a process that did nothing at the same time. */
  readonly idle: Delay
}

export interface DelayProbe {
  /** What was measured since the last time it was asked, or since the process started. */
  take(): Promise<EventLoopDelay>
}

interface OpenedProbe extends AsyncDisposable {
  /** What the process has to be started with. */
  readonly env: Readonly<Record<string, string>>
  of(pid: number): DelayProbe
}

const probe = pathToFileURL(join(import.meta.dirname, 'probe.ts')).href
const measured = z.object({ p50: z.number(), p99: z.number(), max: z.number() })

/** Looks into the event loop of a Node process from outside, and into that of an idle one beside it. */
export async function openDelayProbe(): Promise<OpenedProbe> {
  await using resources = new AsyncDisposableStack()
  const { path } = resources.use(await temporaryDirectory())
  const file = join(path, 'delay.json')
  const idleFile = join(path, 'idle.json')
  const idle = resources.use(
    await startServerProcess('event-loop/idle.ts', undefined, environment(idleFile)),
  )
  const opened = resources.move()
  return {
    env: environment(file),
    of: (pid) => ({
      take: async () => ({ ...(await ask(pid, file)), idle: await ask(idle.pid, idleFile) }),
    }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function environment(file: string) {
  return { NODE_OPTIONS: `--import=${probe}`, LANDFALL_BENCH_DELAY: file }
}

async function ask(pid: number, file: string): Promise<Delay> {
  process.kill(pid, 'SIGUSR2')
  const text = await waitFor(() => readFile(file, 'utf8').catch(() => undefined), {
    what: 'the event loop delay',
    intervalMs: 10,
  })
  await rm(file)
  return measured.parse(JSON.parse(text))
}

/** For what is measured beside it. */
export const delayColumns: readonly Column<{ readonly delay: EventLoopDelay }>[] = [
  { title: 'loop p50 ms', value: ({ delay }) => delay.p50 },
  { title: 'p99', value: ({ delay }) => delay.p99 },
  { title: 'max', value: ({ delay }) => delay.max },
  { title: 'idle p99', value: ({ delay }) => delay.idle.p99 },
  { title: 'max', value: ({ delay }) => delay.idle.max },
]
