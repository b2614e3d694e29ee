import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { AppError } from '../errors.ts'
import {
  type Estimate,
  type Job,
  type Order,
  type Outcome,
  type Reply,
  replySchema,
} from './messages.ts'

const entry = fileURLToPath(new URL('./child.ts', import.meta.url))

/**
 * All of it: nothing that the server was started with is any business of a decoder. The threshold
 * has large buffers given back to the system at once: by itself glibc raises it with every one, and
 * a process keeps some 200 MB between jobs.
 */
const environment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  UV_THREADPOOL_SIZE: '4',
}

/** Characters of what the process wrote last that are kept to explain its end. */
const lastWords = 2_000

/** Bytes that a process maps and does not use; V8 reserves some 600 MB. */
const unusedBytes = 2 ** 30

/**
 * One child process, and the group of what it starts. It gives way to the server, and to whatever else
 * is at work. While it has a job it keeps the server alive, while it idles it does not; it ends itself
 * when the server is gone.
 */
export class ConversionProcess {
  /** Resolves with how the process ended; never rejects. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  #stderr = ''
  #alive = true
  #jobs = 0

  /** @param memory bytes that it may use, whatever its jobs are; the system refuses it more. */
  constructor(memory: number) {
    const [command, ...args] = commandFor(memory)
    this.#child = spawn(command, args, {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // A group of its own, to be ended as one.
      detached: true,
    })
    this.#giveWay()
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
   * Gives the process a job; it must not have one already. The job goes on once `admit` resolves.
   * @throws AppError `conversion-crashed` (503) when the process ends before it answers, or `admit`
   *   rejects, which ends the process.
   */
  async run(job: Job, admit: (estimate: Estimate) => Promise<void>): Promise<Outcome> {
    this.#jobs += 1
    this.#keepServerAlive(true)
    try {
      const reply = await this.#ask(job)
      if (reply.type !== 'estimate') return reply
      await this.#unlessEnded(admit(reply))
      const outcome = await this.#ask({ type: 'go' })
      if (outcome.type !== 'estimate') return outcome
      throw new Error('the conversion process asked for memory twice')
    } catch (error) {
      await this.kill()
      throw crashed(error)
    } finally {
      this.#keepServerAlive(false)
    }
  }

  /** Resolves once the process is gone, whatever it was doing, and what it started is told to go. */
  async kill(): Promise<void> {
    this.#killGroup()
    this.#keepServerAlive(true)
    await this.ended
  }

  async #ask(order: Order): Promise<Reply> {
    const answer = Promise.withResolvers<unknown>()
    this.#child.once('message', answer.resolve)
    // A failure to send is followed by the end of the process, which says more.
    if (this.#child.connected) this.#child.send(order, () => undefined)
    try {
      return replySchema.parse(await this.#unlessEnded(answer.promise))
    } finally {
      this.#child.off('message', answer.resolve)
    }
  }

  #unlessEnded<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failWhenEnded()])
  }

  #killGroup(): void {
    if (this.pid === undefined) return
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // Nobody is left in it, or the system knows no groups.
      this.#child.kill('SIGKILL')
    }
  }

  async #failWhenEnded(): Promise<never> {
    throw new Error(`the conversion process ${await this.ended}`)
  }

  /** At once, so that every thread it will have is born with it. */
  #giveWay(): void {
    try {
      if (this.pid !== undefined) setPriority(this.pid, constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // It is gone already, which is told elsewhere, or the system has no such thing.
    }
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
        // A decoder that it had started would go on without it.
        this.#killGroup()
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

/**
 * Where there is a shell that can limit memory, it does so and makes room for Node. What the limit
 * is for grows faster than a watch can see, such as a single allocation of many gigabytes.
 */
function commandFor(memory: number): [string, ...string[]] {
  if (process.platform !== 'linux') return [process.execPath, entry]
  const kibibytes = Math.ceil((memory + unusedBytes) / 1_024)
  const script = 'unset PWD; ulimit -d "$0" 2>/dev/null; exec "$@"'
  return ['/bin/sh', '-c', script, String(kibibytes), process.execPath, entry]
}

function crashed(cause: unknown): AppError {
  const message = 'The conversion of the image was interrupted.'
  return new AppError('conversion-crashed', 503, message, { cause })
}
