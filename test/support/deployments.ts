/** The ways Landfall can be set up: where objects lie, and where metadata lies. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { freshDatabase } from './fresh-databases.ts'
import { type Program, startProgram } from './program.ts'
import { startS3 } from './s3.ts'

export interface Deployment extends AsyncDisposable {
  readonly dataDir: string
  /** What a process needs in its environment to use the same database and storage. */
  readonly env: Readonly<Record<string, string>>
  /** The keys of all objects in storage, also of unfinished ones, sorted. */
  storedKeys(): Promise<string[]>
  /** Starts the program; again and again on the same data, if need be, and with more settings. */
  start(settings?: Readonly<Record<string, string>>): Promise<Program>
}

export interface DeploymentKind {
  readonly name: string
  create(): Promise<Deployment>
}

const storages = ['disk', 's3'] as const
const databases = ['sqlite', 'postgres'] as const

/** What acceptance tests loop over: `describe.each(deploymentKinds)('… on $name', …)`. */
export const deploymentKinds: readonly DeploymentKind[] = storages.flatMap((storage) =>
  databases.map((database) => ({
    name: `${storage} and ${database}`,
    create: () => deploy(storage, database),
  })),
)

async function deploy(
  storage: (typeof storages)[number],
  databaseKind: (typeof databases)[number],
): Promise<Deployment> {
  const resources = new AsyncDisposableStack()
  try {
    const s3 = storage === 's3' ? await startS3() : undefined
    resources.defer(async () => s3?.close())
    const database = await freshDatabase[databaseKind]()
    resources.defer(() => database.remove())
    const dataDir = database.directory
    const env = { ...s3?.env, ...database.environment }
    return {
      dataDir,
      env,
      storedKeys: () => s3?.listKeys() ?? filesUnder(join(dataDir, 'objects')),
      start: async (settings) =>
        resources.use(await startProgram({ env: { ...env, ...settings }, dataDir })),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

/** Looks again when the program removes a directory in the middle of it. */
async function filesUnder(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
      .sort()
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (gone && existsSync(directory)) return filesUnder(directory)
    throw error
  }
}
