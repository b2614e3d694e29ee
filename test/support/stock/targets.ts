/** Landfall and the stock stack, as one thing that tests can ask the same of. */
import { readdir } from 'node:fs/promises'
import { temporaryDirectory } from '../temporary-directory.ts'
import { waitFor } from '../wait.ts'
import { landfall } from './landfall-product.ts'
import type { Product, ProductSettings, RunningServer } from './product.ts'
import { stock } from './stock-product.ts'
import { diskStore, type S3Store, type Store, type StoreKind, startS3Store } from './stores.ts'

export const products = { landfall, stock }
export type ProductName = keyof typeof products

const probe = new URL('process-probe.ts', import.meta.url).href

export async function startTarget(
  name: ProductName,
  kind: StoreKind,
  settings: ProductSettings,
): Promise<Target> {
  const resources = new AsyncDisposableStack()
  try {
    const directory = resources.use(await temporaryDirectory())
    const temporary = resources.use(await temporaryDirectory())
    const s3 = kind === 's3' ? resources.use(await startS3Store()) : undefined
    const product = await products[name]({
      directory: directory.path,
      ...(s3 && { s3 }),
      env: { NODE_OPTIONS: `--import ${probe}`, TMPDIR: temporary.path },
      settings,
    })
    const store = s3 ?? diskStore(product.objectDirectory)
    const server = await product.start()
    const parts = { product, store, s3, temporary: temporary.path, resources: resources.move() }
    return new Target(parts, server)
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

interface TargetParts {
  readonly product: Product
  readonly store: Store
  readonly s3: S3Store | undefined
  readonly temporary: string
  /** All that is to be freed with it, except for the process. */
  readonly resources: AsyncDisposable
}

/** A server with its storage. What it is asked for over HTTP is the same for every product. */
export class Target implements AsyncDisposable {
  readonly #parts: TargetParts
  #server: RunningServer

  constructor(parts: TargetParts, server: RunningServer) {
    this.#parts = parts
    this.#server = server
  }

  /** Another one after a restart. */
  get url(): string {
    return this.#server.url
  }

  get running(): boolean {
    return this.#server.running
  }

  /** What the process complained about. */
  get stderr(): string {
    return this.#server.stderr
  }

  /** How long something that is to happen by itself is waited for. */
  get patienceMs(): number {
    return this.#parts.product.patienceMs
  }

  /** Only where a test asked for S3. */
  get s3(): S3Store {
    const { s3 } = this.#parts
    if (!s3) throw new Error('this target keeps its objects on disk')
    return s3
  }

  /** Where a finished upload can be fetched. */
  contentUrl(id: string): string {
    return this.url + this.#parts.product.contentPath(id)
  }

  keyOf(id: string): string {
    return this.#parts.product.keyOf(id)
  }

  /** What lies in storage where the finished upload belongs. */
  object(id: string): Promise<Buffer | undefined> {
    return this.#parts.store.read(this.keyOf(id))
  }

  /** Whether storage holds anything that is named after the upload. */
  async holdsAnythingOf(id: string): Promise<boolean> {
    return (await this.#parts.store.keys()).some((key) => key.includes(id))
  }

  /** What lies in the directory for temporary files. */
  temporaryFiles(): Promise<string[]> {
    return readdir(this.#parts.temporary)
  }

  /** Whether what is done with a finished upload has begun, and is not over. */
  isBeingMade(id: string): Promise<boolean> {
    return this.#parts.product.isBeingMade(this.#server, id)
  }

  /** Whether what is done with a finished upload is over, whichever way. */
  isMade(id: string): Promise<boolean> {
    return this.#parts.product.isMade(this.#server, id)
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<unknown> {
    return this.#server.running ? this.#server.kill(signal) : Promise.resolve()
  }

  async restart(): Promise<void> {
    await this.kill()
    this.#server = await this.#parts.product.start()
  }

  /** What goes on in the process: turns of its event loop so far, and bytes that are in use. */
  async probe(): Promise<{ readonly turns: number; readonly heapBytes: number }> {
    const reports = () => [...this.#server.stderr.matchAll(/^probe (\{.*\})$/gm)]
    const before = reports().length
    process.kill(this.#server.pid, 'SIGUSR2')
    const report = await waitFor(() => reports()[before], { intervalMs: 5, what: 'the probe' })
    return JSON.parse(report[1] ?? '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.#parts.resources[Symbol.asyncDispose]()
  }
}
