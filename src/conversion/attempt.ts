import { AppError } from '../errors.ts'
import type { ConversionProcess } from './conversion-process.ts'
import { Deadline } from './deadline.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { MemoryWatch } from './memory-watch.ts'
import type { Estimate, Job, Outcome } from './messages.ts'
import { restingBytes } from './resident-memory.ts'
import { mebibytes, tooLarge } from './too-large.ts'

export interface Limits {
  /** Milliseconds for looking at a file, and again for converting it; waiting for memory is free. */
  readonly deadlineMs: number
  /** The same for SVG, where a short text can ask for any amount of work. */
  readonly svgDeadlineMs: number
}

export interface Attempt {
  readonly outcome: Outcome
  /** Bytes: what the job was admitted for (0: not at all), and the most it was seen to have. */
  readonly admitted: number
  readonly peak: number
}

/**
 * One job in one process: looks at the file, waits for memory, converts. `stop` is aborted when the
 * job takes more time or memory than it may; whoever made it kills the process then.
 * @param release is given what frees the job's memory, for when the process has let go of it.
 */
export async function attempt(
  process: Pick<ConversionProcess, 'pid' | 'run'>,
  job: Job,
  stop: AbortController,
  limits: Limits,
  budget: MemoryBudget,
  release: (giveBack: () => void) => void,
): Promise<Attempt> {
  const over = new AbortController()
  const waiting = AbortSignal.any([stop.signal, over.signal])
  let [admitted, allowedMs] = [0, limits.deadlineMs]
  using deadline = new Deadline(() => stop.abort(overdue(allowedMs)))
  using watch = new MemoryWatch(process.pid ?? 0, restingBytes, (found) =>
    stop.abort(outgrown(found, admitted)),
  )
  const admit = async ({ format, bytes }: Estimate) => {
    deadline.stop()
    release(await budget.take(bytes, waiting))
    admitted = bytes
    watch.allow(bytes)
    allowedMs = format === 'svg' ? limits.svgDeadlineMs : limits.deadlineMs
    if (!over.signal.aborted) deadline.start(allowedMs)
  }
  let admission: Promise<void> | undefined
  deadline.start(allowedMs)
  try {
    const outcome = await process.run(job, (estimate) => (admission = admit(estimate)))
    return { outcome, admitted, peak: watch.peak }
  } finally {
    // A process that died while its job waited must leave the line, and take nothing with it.
    over.abort(new Error('the attempt is over'))
    await admission?.catch(() => undefined)
  }
}

function overdue(deadlineMs: number): AppError {
  const seconds = Math.ceil(deadlineMs / 1_000)
  return new AppError(
    'conversion-timeout',
    422,
    `Converting the image took longer than ${seconds} s and was given up.`,
  )
}

function outgrown(found: number, admitted: number): AppError {
  const expected = mebibytes(admitted || restingBytes)
  return tooLarge(
    `Converting the image took ${mebibytes(found)} of memory instead of the ${expected} ` +
      'that were expected at most, and was given up.',
  )
}
