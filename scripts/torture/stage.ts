/** Everything a run needs, joined: clients → network proxy → the program → fault proxy → S3. */
import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import {
  type ConnectionFault,
  type NetworkProxy,
  startNetworkProxy,
} from '../../test/support/network-proxy.ts'
import { type Program, startProgram } from '../../test/support/program.ts'
import { startS3, type TestS3 } from '../../test/support/s3.ts'
import { type FaultProxy, startFaultProxy } from '../../test/support/s3-faults.ts'
import { temporaryDirectory } from '../../test/support/temporary-directory.ts'
import { openDatabase, type RecordedUpload, type TortureDatabase } from './database.ts'
import type { TortureOptions } from './options.ts'

const keptPrograms = 3

export interface StageOptions extends TortureOptions {
  /** What is to happen to a new connection. */
  readonly plan: () => ConnectionFault | undefined
}

export interface StorageContents {
  readonly keys: readonly string[]
  readonly multiparts: readonly string[]
}

export class Stage implements AsyncDisposable {
  readonly network: NetworkProxy
  /** In front of S3; undefined on disk. */
  readonly faults: FaultProxy | undefined
  readonly #database: TortureDatabase
  readonly #dataDir: string
  readonly #env: Readonly<Record<string, string>>
  readonly #s3: TestS3 | undefined
  readonly #resources: AsyncDisposableStack
  #programs: Program[]

  private constructor(parts: Parts, program: Program, network: NetworkProxy) {
    this.network = network
    this.faults = parts.faults
    this.#database = parts.database
    this.#dataDir = parts.dataDir
    this.#env = parts.env
    this.#s3 = parts.s3
    this.#resources = parts.resources
    this.#programs = [program]
  }

  static async set(options: StageOptions): Promise<Stage> {
    const resources = new AsyncDisposableStack()
    let stage: Stage | undefined
    try {
      const parts = await prepare(options, resources)
      const program = await startProgram(parts)
      // What comes after the first one is disposed of together with it.
      resources.defer(() => stage?.disposePrograms() ?? program[Symbol.asyncDispose]())
      const { seed, plan } = options
      const network = resources.use(await startNetworkProxy(program.url, { seed, plan }))
      stage = new Stage(parts, program, network)
      return stage
    } catch (error) {
      await resources.disposeAsync()
      throw error
    }
  }

  /** Where clients turn to, through the bad network. */
  get url(): string {
    return this.network.url
  }

  get program(): Program {
    const program = this.#programs.at(-1)
    if (!program) throw new Error('there is no program')
    return program
  }

  /** Starts the program again, on the same data. @throws when it ends before it listens. */
  async start(): Promise<void> {
    const program = await startProgram({ env: this.#env, dataDir: this.#dataDir })
    this.#programs = [...this.#programs, program].slice(-keptPrograms)
    this.network.retarget(program.url)
  }

  /** Faults injected so far, by kind. */
  faultsByKind(): ReadonlyMap<string, number> {
    const counts = new Map(this.faults?.injectedByKind())
    for (const [kind, count] of this.network.counts) counts.set(`network ${kind}`, count)
    return counts
  }

  /** Resident bytes of the program now; undefined where there is no /proc. */
  memory(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.program.pid}/status`, 'utf8')
      const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
      return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
    } catch {
      return undefined
    }
  }

  /** What the last programs logged about an upload, and all their errors. */
  logOf(id: string): string[] {
    const isOfUse = (line: string) =>
      line.includes('"level":50') || (id !== '' && line.includes(id))
    return this.#programs.flatMap(({ stdout, stderr }) =>
      `${stdout}${stderr}`.split('\n').filter(isOfUse),
    )
  }

  /** Everything in storage, and every other file in the data directory but the database. */
  async contents(): Promise<StorageContents> {
    const keys = await filesUnder(this.#dataDir)
    if (!this.#s3) return { keys, multiparts: [] }
    const multiparts = this.#s3.listsMultiparts ? await this.#s3.listMultiparts() : []
    return { keys: [...keys, ...(await this.#s3.listKeys())], multiparts }
  }

  leftoversInDatabase(): Promise<ReadonlyMap<string, number>> {
    return this.#database.leftovers()
  }

  uploadsInDatabase(): Promise<RecordedUpload[]> {
    return this.#database.uploads()
  }

  /** Removes the bucket from a service that stays; a service of our own goes with all it has. */
  async removeBucket(): Promise<void> {
    if (this.#s3?.isExternal) await this.#s3.removeBucket()
  }

  async disposePrograms(): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

interface Parts {
  readonly resources: AsyncDisposableStack
  readonly dataDir: string
  readonly database: TortureDatabase
  readonly env: Readonly<Record<string, string>>
  readonly s3: TestS3 | undefined
  readonly faults: FaultProxy | undefined
}

async function prepare(options: StageOptions, resources: AsyncDisposableStack): Promise<Parts> {
  const dataDir = resources.use(await temporaryDirectory()).path
  const database = resources.use(await openDatabase(options.database, dataDir))
  if (options.storage === 'disk') {
    return { resources, dataDir, database, env: database.env, s3: undefined, faults: undefined }
  }
  const s3 = await startS3({ endpoint: options.endpoint, ownProcess: true })
  resources.defer(() => s3.close())
  const faults = await startFaultProxy(s3.endpoint, { seed: options.seed })
  resources.defer(() => faults.close())
  const env = { ...s3.env, ...database.env, S3_ENDPOINT: faults.endpoint }
  return { resources, dataDir, database, env, s3, faults }
}

/** The database and its companions, and the lock on the directory. */
const databaseFile = /^landfall\./

/** Looks again when the program removes a directory in the middle of it. */
async function filesUnder(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile() && !databaseFile.test(entry.name))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isGone && existsSync(directory)) return filesUnder(directory)
    throw error
  }
}
