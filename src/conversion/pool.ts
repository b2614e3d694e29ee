import { AppError } from '../errors.ts'
import { attempt, type Limits } from './attempt.ts'
import type { ConversionRequest, ConversionResult, Converter } from './contract.ts'
import { ConversionProcess } from './conversion-process.ts'
import { findHeifConvert } from './heif-convert.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { Job, Outcome } from './messages.ts'
import { renditionPath } from './rendition-path.ts'
import { residentBytes, restingBytes } from './resident-memory.ts'
import { Slots } from './slots.ts'

/** Where the converter reports on its processes; a pino logger is one. */
export interface ConversionLogger {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface ConverterOptions extends Partial<Limits> {
  /** Jobs at a time, each in a process of its own. */
  readonly concurrency: number
  /** Bytes that jobs at work may be estimated to need, all of them together. */
  readonly memory: number
  /** The program that decodes HEIC; undefined: look for it, null: do without. */
  readonly heifConvert?: string | null
  readonly logger?: ConversionLogger
}

/**
 * After this many jobs a process is replaced, and after one that left it fat, for memory that
 * allocators do not give back.
 */
const jobsPerProcess = 100

const defaults = { deadlineMs: 120_000, svgDeadlineMs: 20_000 }

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
  readonly #budget: MemoryBudget
  readonly #processes = new Set<ConversionProcess>()
  readonly #idle = new Set<ConversionProcess>()
  /** One for each conversion, waiting or running. */
  readonly #stops = new Set<AbortController>()
  #closed = false

  constructor(options: ConverterOptions) {
    const { concurrency, memory, heifConvert = findHeifConvert() } = options
    this.#options = { ...defaults, logger: silent, ...options, heifConvert }
    // With less memory than that many processes have at rest, they would only wait for each other.
    this.#slots = new Slots(Math.min(concurrency, Math.max(1, Math.floor(memory / restingBytes))))
    this.#budget = new MemoryBudget(memory)
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
    const giveBack = await this.#slots.take(stop.signal)
    try {
      const outcome = await this.#run(this.#jobOf(request), stop)
      return resultOf(outcome, request.outputDirectory)
    } finally {
      giveBack()
    }
  }

  /** Runs a job until it ends by itself or `stop` is aborted, which ends its process. */
  async #run(job: Job, stop: AbortController): Promise<Outcome> {
    const process = this.#takeProcess()
    const { pid } = process
    const kill = () => void process.kill()
    stop.signal.addEventListener('abort', kill, { once: true })
    let release = () => {}
    try {
      const { outcome, ...memory } = await attempt(
        process,
        job,
        stop,
        this.#options,
        this.#budget,
        (giveBack) => (release = giveBack),
      )
      this.#options.logger.debug({ pid, ...memory }, 'conversion settled')
      return outcome
    } catch (error) {
      stop.signal.throwIfAborted()
      this.#options.logger.warn({ pid, err: error }, 'conversion process crashed')
      throw error
    } finally {
      stop.signal.removeEventListener('abort', kill)
      await this.#putBack(process)
      release()
    }
  }

  #takeProcess(): ConversionProcess {
    const [idle] = this.#idle
    if (!idle) return this.#startProcess()
    this.#idle.delete(idle)
    return idle
  }

  #startProcess(): ConversionProcess {
    const process = new ConversionProcess(this.#options.memory)
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
    const isSlim = (residentBytes(process.pid ?? 0) ?? 0) <= restingBytes
    const reusable = process.alive && process.jobs < jobsPerProcess && isSlim && !this.#closed
    if (reusable) this.#idle.add(process)
    else await process.kill()
  }

  #jobOf({ input, outputDirectory, presets }: ConversionRequest): Job {
    const { memory, heifConvert } = this.#options
    const decoder = heifConvert === null ? {} : { heifConvert }
    return { type: 'convert', input, outputDirectory, presets, memory, ...decoder }
  }
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

function stopping(): AppError {
  return new AppError('conversion-failed', 503, 'The server is stopping.')
}
