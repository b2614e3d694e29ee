import { type ChildProcess, spawn } from 'node:child_process'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildOptions {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** A file to write standard output to; it is not kept then. */
  readonly stdout?: number | undefined
}

const stopTimeoutMs = 90_000
const alive = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** A Node process whose output is kept, and which never outlives this one. */
export class Child implements AsyncDisposable {
  readonly pid: number
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<Exit>
  #stdout = ''
  #stderr = ''
  readonly #process: ChildProcess
  readonly #listeners = new Set<() => void>()

  constructor({ args, env, stdout }: ChildOptions) {
    const stdio = ['ignore', stdout ?? 'pipe', 'pipe'] as const
    this.#process = spawn(process.execPath, args, { env, stdio: [...stdio] })
    this.pid = this.#process.pid ?? 0
    alive.add(this.#process)
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#notify()
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#notify()
    })
    this.exited = new Promise((resolve) => {
      this.#process.once('error', () => resolve({ code: null, signal: null }))
      this.#process.once('close', (code, signal) => resolve({ code, signal }))
    })
    void this.exited.then(() => {
      alive.delete(this.#process)
      this.#notify()
    })
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Lets standard output pile up. */
  pauseReading(): void {
    this.#process.stdout?.pause()
  }

  resumeReading(): void {
    this.#process.stdout?.resume()
  }

  /** Reads standard output no more; what the process writes to it fails. */
  stopReading(): void {
    this.#process.stdout?.destroy()
  }

  get running(): boolean {
    return alive.has(this.#process)
  }

  /** Resolves with what `find` sees in the output, or undefined when the process ends without it. */
  async firstOutput<T>(find: () => T | undefined): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<T | undefined>()
    const look = () => {
      const found = find()
      if (found !== undefined || !this.running) resolve(found)
    }
    this.#listeners.add(look)
    look()
    return promise.finally(() => this.#listeners.delete(look))
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.#process.kill(signal)
    return this.exited
  }

  /** Asks the process to end (SIGTERM) and waits; one that does not listen is killed, which is an error. */
  async stop(timeoutMs = stopTimeoutMs): Promise<Exit> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#process.kill('SIGKILL')
    }, timeoutMs)
    const exit = await this.kill('SIGTERM').finally(() => clearTimeout(timer))
    if (late) throw new Error(`the process did not stop within ${timeoutMs} ms of SIGTERM`)
    return exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) await this.kill('SIGKILL')
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}
