import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { constants, getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Converter } from '../../src/conversion/contract.ts'
import { type ConverterOptions, createConverter } from '../../src/conversion/pool.ts'
import { jpeg } from '../fixtures/images.ts'
import { stuckInput, untilRead } from '../fixtures/stuck-input.ts'
import { Child } from '../support/child.ts'
import { testPreset } from '../support/presets.ts'
import { waitFor } from '../support/wait.ts'

const never = new AbortController().signal
const presets = [testPreset({ name: 'thumb', width: 64, height: 64 })]

let root: string
let good: string
let stuck: string
let converter: Converter
/** Of the processes that were started, in order. */
let pids: number[]
/** Of the processes that are known to have ended. */
let ended: number[]
const cleanup: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'landfall-processes-'))
  good = join(root, 'good')
  await writeFile(good, await jpeg())
  stuck = await stuckInput(join(root, 'stuck'))
  await mkdir(join(root, 'out'))
  pids = []
  ended = []
  cleanup.push(() => rm(root, { recursive: true }))
})

afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

function start(options: Partial<ConverterOptions> = {}): void {
  const logger = {
    debug: (fields: object, message: string) => {
      if (!('pid' in fields && typeof fields.pid === 'number')) return
      if (message === 'conversion process started') pids.push(fields.pid)
      if (message === 'conversion process ended') ended.push(fields.pid)
    },
    warn: () => undefined,
  }
  converter = createConverter({ concurrency: 1, memory: 2 ** 30, logger, ...options })
  cleanup.push(() => converter.close())
}

const convert = (input: string, signal = never) =>
  converter.convert({ input, outputDirectory: join(root, 'out'), presets }, signal)

/** A conversion that is stuck in its process by the time this resolves. */
async function convertStuck(signal = never) {
  // Settled into a value, so that a rejection before it is looked at is none unhandled.
  const failure = convert(stuck, signal).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )
  const pipe = await untilRead(stuck)
  cleanup.push(() => pipe.close())
  return { failure, pid: pids.at(-1) ?? 0 }
}

async function isRunning(pid: number): Promise<boolean> {
  const ps = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => null)
  return ps !== null && !ps.stdout.startsWith('Z')
}

const untilGone = (pid: number) => waitFor(async () => !(await isRunning(pid)), { what: 'an end' })

describe('a conversion process', () => {
  it('is started for the first conversion and used for the next', async () => {
    start()
    expect(pids).toEqual([])
    await convert(good)
    await convert(good)
    expect(pids.length).toBe(1)
  })

  it('has at most so many siblings, and everyone gets a turn', async () => {
    start({ concurrency: 2 })
    const results = await Promise.all(Array.from({ length: 5 }, () => convert(good)))
    expect(results.every(({ renditions }) => renditions.length === 1)).toBe(true)
    expect(pids.length).toBe(2)
  })

  it('that is killed costs its job and no other', async () => {
    start()
    const { failure, pid } = await convertStuck()
    process.kill(pid, 'SIGKILL')
    expect(await failure).toMatchObject({ code: 'conversion-crashed', status: 503 })
    expect((await convert(good)).renditions.length).toBe(1)
    expect(pids.length).toBe(2)
  })

  it('that died while it had nothing to do is replaced', async () => {
    start()
    await convert(good)
    process.kill(pids[0] ?? 0, 'SIGKILL')
    await waitFor(() => ended.length === 1, { what: 'the news of its end', intervalMs: 10 })
    expect((await convert(good)).renditions.length).toBe(1)
    expect(pids.length).toBe(2)
  })

  it('that overruns its deadline is killed, and the file is at fault', async () => {
    start({ deadlineMs: 500 })
    await expect(convert(stuck)).rejects.toMatchObject({ code: 'conversion-timeout', status: 422 })
    expect(await isRunning(pids[0] ?? 0)).toBe(false)
  })

  it.skipIf(process.platform !== 'linux')('knows nothing of the environment', async () => {
    vi.stubEnv('AUTH_JWT_SECRET', 'not for decoders')
    cleanup.push(async () => vi.unstubAllEnvs())
    start()
    const { pid } = await convertStuck()
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    const names = environment.split('\0').flatMap((line) => (line ? [line.split('=')[0]] : []))
    const own = names.filter((name) => !name?.startsWith('NODE_'))
    const expected = ['MALLOC_ARENA_MAX', 'MALLOC_TRIM_THRESHOLD_', 'UV_THREADPOOL_SIZE']
    expect(own.sort()).toEqual(expected)
    expect(environment).not.toContain('not for decoders')
  })

  it('gives way to the server', async () => {
    start()
    await convert(good)
    expect(getPriority(pids[0])).toBe(constants.priority.PRIORITY_BELOW_NORMAL)
    const group = await readFile(`/proc/${pids[0]}/autogroup`, 'utf8').catch(() => 'nice 10')
    expect(group).toContain('nice 10')
  })

  it.skipIf(process.platform !== 'linux')('is the first to go when memory runs out', async () => {
    start()
    await convert(good)
    expect(await readFile(`/proc/${pids[0]}/oom_score_adj`, 'utf8')).toBe('1000\n')
  })
})

describe('an abort', () => {
  it('kills the process at work and rejects with the reason', async () => {
    start()
    const controller = new AbortController()
    const { failure, pid } = await convertStuck(controller.signal)
    const reason = new Error('lost the lease')
    controller.abort(reason)
    expect(await failure).toBe(reason)
    expect(await isRunning(pid)).toBe(false)
  })

  it('of a conversion that waits leaves the one at work alone', async () => {
    start()
    const { pid } = await convertStuck()
    const controller = new AbortController()
    const waiting = convert(good, controller.signal)
    controller.abort(new Error('changed my mind'))
    await expect(waiting).rejects.toThrow('changed my mind')
    expect(await isRunning(pid)).toBe(true)
  })

  it('beforehand starts nothing', async () => {
    start()
    await expect(convert(good, AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
    expect(pids).toEqual([])
  })
})

describe('closing', () => {
  it('ends every process, and conversions that run or wait can be tried again', async () => {
    start()
    const { failure, pid } = await convertStuck()
    const waiting = convert(good).catch((error: unknown) => error)
    await converter.close()
    expect(await isRunning(pid)).toBe(false)
    expect(await failure).toMatchObject({ code: 'conversion-failed', status: 503 })
    expect(await waiting).toMatchObject({ code: 'conversion-failed', status: 503 })
    await expect(convert(good)).rejects.toMatchObject({ code: 'conversion-failed' })
    expect(pids.length).toBe(1)
  })

  it('ends a process that idles', async () => {
    start()
    await convert(good)
    await converter.close()
    expect(await isRunning(pids[0] ?? 0)).toBe(false)
  })
})

describe('a server', () => {
  const entry = fileURLToPath(new URL('../fixtures/conversion-server.ts', import.meta.url))
  const pidIn = (text: string) => Number(/"pid":(\d+)/.exec(text)?.[1]) || undefined

  function serve(input: string): Child {
    const child = new Child({ args: [entry, input, join(root, 'out')], env: {} })
    cleanup.push(() => child.kill())
    return child
  }

  it('that is killed leaves no process behind, not even one stuck in a decoder', async () => {
    const server = serve(stuck)
    const pipe = await untilRead(stuck)
    cleanup.push(() => pipe.close())
    const pid = pidIn(server.stdout) ?? 0
    expect(await isRunning(pid)).toBe(true)
    await server.kill()
    await untilGone(pid)
  })

  it('with nothing left to do is not kept alive by an idle process', async () => {
    const server = serve(good)
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(server.stdout).toContain('converted')
    await untilGone(pidIn(server.stdout) ?? 0)
  })
})
