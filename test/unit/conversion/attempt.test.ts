import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { attempt } from '../../../src/conversion/attempt.ts'
import { MemoryBudget } from '../../../src/conversion/memory-budget.ts'
import type { Estimate, Job, Outcome } from '../../../src/conversion/messages.ts'

const job: Job = { type: 'convert', input: 'in', outputDirectory: 'out', presets: [], memory: 100 }
const limits = { deadlineMs: 1_000, svgDeadlineMs: 200 }
const done: Outcome = { type: 'failed', code: 'none', status: 422, message: 'Done.' }
const never = new AbortController().signal

let budget: MemoryBudget
let stop: AbortController
let released: (() => void)[]

beforeEach(() => {
  vi.useFakeTimers()
  budget = new MemoryBudget(100)
  stop = new AbortController()
  released = []
})

afterEach(() => {
  vi.useRealTimers()
})

type Run = (job: Job, admit: (estimate: Estimate) => Promise<void>) => Promise<Outcome>

const start = (run: Run) =>
  attempt({ pid: undefined, run }, job, stop, limits, budget, (giveBack) => released.push(giveBack))

/** Asks for memory, then works until it is told to be done. */
function working(format: string) {
  const work = Promise.withResolvers<Outcome>()
  const run: Run = async (_job, admit) => {
    await admit({ type: 'estimate', format, bytes: 60 })
    return work.promise
  }
  return { run, finish: () => work.resolve(done) }
}

it('time does not pass while a conversion waits for memory', async () => {
  const giveBack = await budget.take(60, never)
  const { run, finish } = working('jpeg')
  const attempted = start(run)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(stop.signal.aborted).toBe(false)
  giveBack()
  await vi.advanceTimersByTimeAsync(990)
  expect(stop.signal.aborted).toBe(false)
  finish()
  expect(await attempted).toMatchObject({ outcome: done, admitted: 60 })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(stop.signal.aborted).toBe(false)
})

it.each([
  ['looking at a file', async () => new Promise<Outcome>(() => {}), 1_000],
  ['converting', working('jpeg').run, 1_000],
  ['drawing SVG', working('svg').run, 200],
] as const)('%s may take so long and no longer', async (_name, run, ms) => {
  void start(run)
  await vi.advanceTimersByTimeAsync(ms - 1)
  expect(stop.signal.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(stop.signal.reason).toMatchObject({ code: 'conversion-timeout', status: 422 })
})

it('a process that dies while its job waits leaves the line and takes nothing', async () => {
  const giveBack = await budget.take(60, never)
  const died: Run = (_job, admit) =>
    Promise.race([
      admit({ type: 'estimate', format: 'jpeg', bytes: 60 }).then(() => done),
      Promise.reject(new Error('died')),
    ])
  await expect(start(died)).rejects.toThrow('died')
  giveBack()
  expect(released).toEqual([])
  await budget.take(100, AbortSignal.timeout(1))
})

it('memory stays taken until the process has let go of it', async () => {
  const { run, finish } = working('jpeg')
  const attempted = start(run)
  finish()
  await attempted
  const next = budget.take(60, never)
  expect(released.length).toBe(1)
  let got = false
  void next.then(() => {
    got = true
  })
  await vi.advanceTimersByTimeAsync(0)
  expect(got).toBe(false)
  released[0]?.()
  await next
})
