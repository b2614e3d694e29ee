/** Landfall as its operator sees it: a process with an environment, a log, and an exit code. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Child, type ChildOptions, type Exit } from './child.ts'
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts'

export type LogLine = Readonly<Record<string, unknown>>

export interface ProgramOptions {
  /** Settings, on top of PORT=0 and DATA_DIR. */
  readonly env?: Readonly<Record<string, string>>
  /** Kept when the program ends. Left out: a fresh one that is removed with the program. */
  readonly dataDir?: string
  /** An open file for the log, which cannot be read here then. */
  readonly stdout?: number
}

const root = resolve(import.meta.dirname, '../..')
const startTimeoutMs = 60_000

/** Starts the program and waits until it listens. */
export async function startProgram(options: ProgramOptions = {}): Promise<Program> {
  const program = await spawnProgram(options)
  const timer = setTimeout(() => void program.kill('SIGKILL'), startTimeoutMs)
  const url = await program.listening.finally(() => clearTimeout(timer))
  if (url !== undefined) return program
  const { code, signal } = await program.exited
  await program[Symbol.asyncDispose]()
  throw new Error(
    `the program ended before it listened (${signal ?? `exit code ${code}`}):\n${program.stdout}${program.stderr}`,
  )
}

/** Runs the program to its end, for starts that must fail. Killed after `timeoutMs`. */
export async function runProgram(
  options: ProgramOptions = {},
  timeoutMs = startTimeoutMs,
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  await using program = await spawnProgram(options)
  const timer = setTimeout(() => void program.kill('SIGKILL'), timeoutMs)
  const exit = await program.exited.finally(() => clearTimeout(timer))
  return { ...exit, stdout: program.stdout, stderr: program.stderr }
}

/** Starts the program without waiting. */
export async function spawnProgram(options: ProgramOptions = {}): Promise<Program> {
  const { env = {}, dataDir, stdout } = options
  const temporary = dataDir === undefined ? await temporaryDirectory() : undefined
  const directory = dataDir ?? temporary?.path ?? ''
  const settings = {
    ...inherited('PATH', 'HOME', 'TMPDIR', 'LANG'),
    PORT: '0',
    DATA_DIR: directory,
    ...env,
  }
  return new Program(directory, temporary, { env: settings, stdout })
}

export class Program implements AsyncDisposable {
  readonly dataDir: string
  /** The program's URL once it listens; undefined if it ended before. */
  readonly listening: Promise<string | undefined>
  #url: string | undefined
  readonly #child: Child
  readonly #temporary: TemporaryDirectory | undefined

  constructor(
    dataDir: string,
    temporary: TemporaryDirectory | undefined,
    options: Pick<ChildOptions, 'env' | 'stdout'>,
  ) {
    this.dataDir = dataDir
    this.#temporary = temporary
    this.#child = new Child({ args: startArguments(), ...options })
    this.listening = this.#child.firstOutput(() => {
      this.#url ??= this.logs.map(listeningUrl).find((url) => url !== undefined)
      return this.#url
    })
  }

  /** Without a trailing slash. */
  get url(): string {
    if (this.#url === undefined) throw new Error('the program does not listen yet')
    return this.#url
  }

  get pid(): number {
    return this.#child.pid
  }

  get stdout(): string {
    return this.#child.stdout
  }

  get stderr(): string {
    return this.#child.stderr
  }

  get running(): boolean {
    return this.#child.running
  }

  get exited(): Promise<Exit> {
    return this.#child.exited
  }

  /** Lets the log pile up. */
  pauseReading(): void {
    this.#child.pauseReading()
  }

  resumeReading(): void {
    this.#child.resumeReading()
  }

  /** Reads the log no more; what the program writes to it fails. */
  stopReading(): void {
    this.#child.stopReading()
  }

  /** Every complete log line so far. */
  get logs(): LogLine[] {
    return this.stdout
      .slice(0, this.stdout.lastIndexOf('\n') + 1)
      .split('\n')
      .map(parseLogLine)
      .filter((line) => line !== undefined)
  }

  /** Sends a signal and waits for the end. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    return this.#child.kill(signal)
  }

  /** Stops the program the way an operator does, and waits for the end. */
  stop(): Promise<Exit> {
    return this.#child.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
    await this.#temporary?.[Symbol.asyncDispose]()
  }
}

/** What `npm start` gives to Node. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const [, ...flags] = scripts.start.split(' ')
  return [...flags.slice(0, -1), join(root, flags.at(-1) ?? '')]
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

function listeningUrl(line: LogLine): string | undefined {
  return line.event === 'listening' && typeof line.url === 'string'
    ? line.url.replace(/\/+$/, '')
    : undefined
}
