import { AppError } from '../errors.ts'
import type { ConversionRequest, ConversionResult, Converter } from './contract.ts'
import { ConversionProcess } from './conversion-process.ts'
import type { Job, Outcome } from './messages.ts'
import { renditionPath } from './rendition-path.ts'
import { Slots } from './slots.ts'

/** Where the converter reports on its processes; a pino logger is one. */
export interface ConversionLogger {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface ConverterOptions {
  /** Jobs at a time, each in a process of its own. */
  readonly concurrency: number
  /** Bytes a job may be estimated to need. */
  readonly memory: number
  /** Milliseconds after which a job's process is killed, waiting in line not counted. */
  readonly deadlineMs?: number
  readonly logger?: ConversionLogger
}

/** After this many jobs a process is replaced, for memory that allocators do not give back. */
const jobsPerProcess = 100

const silent: ConversionLogger = { debug: () => undefined, warn: () => undefined }

/**
 * A converter with up to `concurrency` child processes, started when needed and used again. When a
 * conversion settles, however it does, nothing writes into its output directory any more.
 */
export function createConverter(options: ConverterOptions): Converter {
  return new ProcessPool(options)
}

class ProcessPool implements Converter {
  readonly #options: Required<ConverterOptions>
  readonly #slots: Slots
  readonly #processes = new Set<ConversionProcess>()
  readonly #idle = new Set<ConversionProcess>()
  /** One for each conversion, waiting or running. */
  readonly #stops = new Set<AbortController>()
  #closed = false

  constructor(options: ConverterOptions) {
    this.#options = { deadlineMs: 120_000, logger: silent, ...options }
    this.#slots = new Slots(options.concurrency)
  }

  async convert(request: ConversionRequest, signal: AbortSignal): Promise<ConversionResult> {
    signal.throwIfAborted()
    if (this.#closed) throw stopping()
    const stop = new AbortController()
    const forward = () => stop.abort(signal.reason)
    signal.addEventListener('abort', forward, { once: true })
    this.#stops.add(stop)
    try {
      return await this.#convertInTurn(request, stop)
    } finally {
      this.#stops.delete(stop)
      signal.removeEventListener('abort', forward)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const stop of this.#stops) stop.abort(stopping())
    await Promise.all([...this.#processes].map((process) => process.kill()))
  }

  async #convertInTurn(
    request: ConversionRequest,
    stop: AbortController,
  ): Promise<ConversionResult> {
    const { deadlineMs, memory } = this.#options
    const giveBack = await this.#slots.take(stop.signal)
    const deadline = setTimeout(() => stop.abort(overdue(deadlineMs)), deadlineMs)
    try {
      const outcome = await this.#run(jobOf(request, memory), stop.signal)
      return resultOf(outcome, request.outputDirectory)
    } finally {
      clearTimeout(deadline)
      giveBack()
    }
  }

  /** Runs a job until it ends by itself or `stop` is aborted, which ends its process. */
  async #run(job: Job, stop: AbortSignal): Promise<Outcome> {
    const process = this.#takeProcess()
    const kill = () => void process.kill()
    stop.addEventListener('abort', kill, { once: true })
    try {
      return await process.run(job)
    } catch (error) {
      stop.throwIfAborted()
      this.#options.logger.warn({ pid: process.pid, err: error }, 'conversion process crashed')
      throw error
    } finally {
      stop.removeEventListener('abort', kill)
      await this.#putBack(process)
    }
  }

  #takeProcess(): ConversionProcess {
    const [idle] = this.#idle
    if (!idle) return this.#startProcess()
    this.#idle.delete(idle)
    return idle
  }

  #startProcess(): ConversionProcess {
    const process = new ConversionProcess()
    const { pid } = process
    this.#processes.add(process)
    this.#options.logger.debug({ pid }, 'conversion process started')
    void process.ended.then((how) => {
      this.#processes.delete(process)
      this.#idle.delete(process)
      this.#options.logger.debug({ pid, how }, 'conversion process ended')
    })
    return process
  }

  async #putBack(process: ConversionProcess): Promise<void> {
    const reusable = process.alive && process.jobs < jobsPerProcess && !this.#closed
    if (reusable) this.#idle.add(process)
    else await process.kill()
  }
}

function jobOf({ input, outputDirectory, presets }: ConversionRequest, memory: number): Job {
  return { input, outputDirectory, presets, memory }
}

/** Paths are worked out here: a decoder that was taken over must not be able to name other files. */
function resultOf(outcome: Outcome, directory: string): ConversionResult {
  if (outcome.type === 'failed') {
    throw new AppError(outcome.code, outcome.status, outcome.message, { cause: outcome.cause })
  }
  const { format, width, height, exif, thumbhash, color } = outcome
  const renditions = outcome.renditions.map((rendition) => ({
    ...rendition,
    path: renditionPath(directory, rendition.preset, rendition.format),
  }))
  return { format, width, height, exif: exif ?? undefined, thumbhash, color, renditions }
}

function overdue(deadlineMs: number): AppError {
  const seconds = Math.ceil(deadlineMs / 1_000)
  return new AppError(
    'conversion-timeout',
    422,
    `Converting the image took longer than ${seconds} s and was given up.`,
  )
}

function stopping(): AppError {
  return new AppError('conversion-failed', 503, 'The server is stopping.')
}
