/** A server for conversions to go wrong on: what surrounds it can fail, and its records can be read. */
import { mkdir, readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { freePort } from './free-port.ts'
import { type FreshDatabase, freshDatabase } from './fresh-databases.ts'
import { type NetworkProxy, startNetworkProxy } from './network-proxy.ts'
import { type Program, startProgram } from './program.ts'
import { readRecords, type StoredRecords } from './records.ts'
import { startS3, type TestS3 } from './s3.ts'
import { type FaultProxy, startFaultProxy } from './s3-faults.ts'

export interface ConversionStand extends AsyncDisposable {
  readonly dataDir: string
  /** `TMPDIR` of the program and nobody else. */
  readonly temporaryDir: string
  /** In front of the bucket, where there is one. */
  readonly faults: FaultProxy | undefined
  /** On the way to the database, where it is a server. */
  readonly databaseAccess: DatabaseAccess | undefined
  /** Starts the program; again and again on the same data, if need be. */
  start(settings?: Readonly<Record<string, string>>): Promise<Program>
  /** Of all objects, finished or not, sorted. */
  storedKeys(): Promise<string[]>
  /** Past the program, and past what is made to fail. */
  records(): Promise<StoredRecords>
  /** What is left of work in progress, in all directories for it, empty directories too. */
  workFiles(): Promise<string[]>
}

export interface DatabaseAccess {
  /** Ends all connections, and takes no more. */
  cut(): Promise<void>
  /** Passes nothing on, and says nothing of it. */
  silence(): void
  restore(): void
}

export interface StandKind {
  readonly name: string
  create(): Promise<ConversionStand>
}

export const diskStand: StandKind = {
  name: 'disk and SQLite',
  create: async () => stand(await freshDatabase.sqlite(), undefined),
}

export const s3Stand: StandKind = {
  name: 'S3 and PostgreSQL',
  create: async () => stand(await freshDatabase.postgres(), startS3),
}

/** Everything in this directory, which stays. */
export function standIn(directory: string): Promise<ConversionStand> {
  const target = { kind: 'sqlite', file: join(directory, 'landfall.db') } as const
  return stand(
    { target, directory, environment: { DATA_DIR: directory }, remove: async () => {} },
    undefined,
  )
}

async function stand(
  database: FreshDatabase,
  startBucket: (() => Promise<TestS3>) | undefined,
): Promise<ConversionStand> {
  await using stack = new AsyncDisposableStack()
  stack.defer(() => database.remove())
  const s3 = await startBucket?.()
  stack.defer(async () => s3?.close())
  const faults = s3 && (await startFaultProxy(s3.endpoint))
  stack.defer(async () => faults?.close())
  const network = await networkTo(database)
  stack.defer(async () => network?.close())
  const dataDir = database.directory
  const temporaryDir = join(dataDir, 'temporary')
  await mkdir(temporaryDir)
  const env = {
    ...s3?.env,
    ...(faults && { S3_ENDPOINT: faults.endpoint }),
    ...(network && { DATABASE_URL: addressThrough(database, network) }),
    TMPDIR: temporaryDir,
  }
  const resources = stack.move()
  return {
    dataDir,
    temporaryDir,
    faults,
    databaseAccess: network && accessThrough(network, database),
    start: async (settings) =>
      resources.use(await startProgram({ env: { ...env, ...settings }, dataDir })),
    storedKeys: () => s3?.listKeys() ?? filesUnder(join(dataDir, 'objects')),
    records: () => readRecords(database.target),
    workFiles: async () => [
      ...(await filesUnder(temporaryDir)),
      ...(await jobDirectories(join(dataDir, 'tmp'))),
    ],
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function networkTo(database: FreshDatabase): Promise<NetworkProxy | undefined> {
  if (database.target.kind === 'sqlite') return undefined
  return startNetworkProxy(`http://${addressOf(database).host}`)
}

function accessThrough(network: NetworkProxy, database: FreshDatabase): DatabaseAccess {
  return {
    async cut() {
      network.retarget(`http://127.0.0.1:${await freePort()}`)
      network.cutNow()
    },
    silence: () => network.stall(),
    restore() {
      network.retarget(`http://${addressOf(database).host}`)
      network.flow()
    },
  }
}

function addressThrough(database: FreshDatabase, network: NetworkProxy): string {
  const url = addressOf(database)
  url.host = new URL(network.url).host
  return url.href
}

function addressOf({ target }: FreshDatabase): URL {
  if (target.kind === 'sqlite') throw new Error('a file has no address')
  return new URL(target.url)
}

/** Files that go while they are looked for are none. */
async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort()
}

/** Each process has a directory, and in it one for each job. */
async function jobDirectories(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => [])
  return names.filter((name) => name.includes(sep))
}
