import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { waitFor } from '../../../test/support/wait.ts'
import type { Column } from '../compare.ts'

/** Milliseconds that work had to wait because the event loop was busy, looked at every 10 ms. */
export interface EventLoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
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

/** Looks into the event loop of a Node process from outside. */
export async function openDelayProbe(): Promise<OpenedProbe> {
  const directory = await temporaryDirectory()
  const file = join(directory.path, 'delay.json')
  return {
    env: { NODE_OPTIONS: `--import=${probe}`, LANDFALL_BENCH_DELAY: file },
    of: (pid) => ({ take: () => ask(pid, file) }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}

async function ask(pid: number, file: string): Promise<EventLoopDelay> {
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
]
