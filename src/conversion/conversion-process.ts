import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AppError } from '../errors.ts'
import { type Job, type Outcome, outcomeSchema } from './messages.ts'

const entry = fileURLToPath(new URL('./child.ts', import.meta.url))

/** All of it: nothing that the server was started with is any business of a decoder. */
const environment = { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: '4' }

/** Characters of what the process wrote last that are kept to explain its end. */
const lastWords = 2_000

/**
 * One child process. While it has a job it keeps the server alive, while it idles it does not; it
 * ends itself when the server is gone.
 */
export class ConversionProcess {
  /** Resolves with how the process ended; never rejects. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  #stderr = ''
  #alive = true
  #jobs = 0

  constructor() {
    this.#child = spawn(process.execPath, [entry], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-lastWords)
    })
    this.ended = this.#watch()
    this.#keepServerAlive(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Jobs it was given so far. */
  get jobs(): number {
    return this.#jobs
  }

  /**
   * Gives the process a job; it must not have one already.
   * @throws AppError `conversion-crashed` (503) when the process ends before it answers.
   */
  async run(job: Job): Promise<Outcome> {
    this.#jobs += 1
    this.#keepServerAlive(true)
    try {
      return await this.#answerTo(job)
    } finally {
      this.#keepServerAlive(false)
    }
  }

  /** Resolves once the process is gone, whatever it was doing. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#keepServerAlive(true)
    await this.ended
  }

  async #answerTo(job: Job): Promise<Outcome> {
    const answer = Promise.withResolvers<unknown>()
    this.#child.once('message', answer.resolve)
    // A failure to send is followed by the end of the process, which says more.
    if (this.#child.connected) this.#child.send(job, () => undefined)
    try {
      const message = await Promise.race([answer.promise, this.#failWhenEnded()])
      return outcomeSchema.parse(message)
    } catch (error) {
      await this.kill()
      throw crashed(error)
    } finally {
      this.#child.off('message', answer.resolve)
    }
  }

  async #failWhenEnded(): Promise<never> {
    throw new Error(`the conversion process ${await this.ended}`)
  }

  #watch(): Promise<string> {
    return new Promise((resolve) => {
      const end = (how: string) => {
        this.#alive = false
        resolve(`${how}; it wrote: ${this.#stderr.trim() || 'nothing'}`)
      }
      this.#child.on('error', (error) => {
        if (this.pid === undefined) end(`could not be started: ${error.message}`)
      })
      this.#child.once('exit', () => {
        this.#alive = false
      })
      this.#child.once('close', (code, signal) => end(`ended with ${signal ?? `code ${code}`}`))
    })
  }

  #keepServerAlive(keep: boolean): void {
    const { stderr, channel } = this.#child
    const handles = [this.#child, channel, stderr instanceof Socket ? stderr : undefined]
    for (const handle of handles) {
      if (keep) handle?.ref()
      else handle?.unref()
    }
  }
}

function crashed(cause: unknown): AppError {
  const message = 'The conversion of the image was interrupted.'
  return new AppError('conversion-crashed', 503, message, { cause })
}
