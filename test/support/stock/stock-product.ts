import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../child.ts'
import type { CreateProduct, RunningServer } from './product.ts'
import type { StockOptions } from './stock-options.ts'

const entry = join(import.meta.dirname, 'stock-server.ts')

export const stock: CreateProduct = async ({ directory, s3, env, settings }) => {
  const objectDirectory = join(directory, 'files')
  const madeDirectory = join(directory, 'made')
  const cacheDirectory = join(directory, 'cache')
  for (const each of [objectDirectory, madeDirectory, cacheDirectory]) await mkdir(each)
  const { expiresInSeconds = 0, stock: own = {} } = settings
  const options: StockOptions = {
    store: s3 ? { bucket: s3.bucket, env: s3.env } : { directory: objectDirectory },
    madeDirectory,
    mount: own.mount ?? 'listen',
    expiresIn: expiresInSeconds * 1_000,
    lockTimeout: own.lockTimeoutMs,
    sdkChecksums: own.sdkChecksums ?? false,
    cacheDirectory: own.textCache ? cacheDirectory : undefined,
  }
  return {
    objectDirectory,
    // Of its own accord it does nothing but remove what has expired, twice a second.
    patienceMs: 5_000,
    start: () => startStock(options, env),
    keyOf: (id) => id,
    contentPath: (id) => `/files/${id}`,
    isBeingMade: async ({ stdout }, id) =>
      stdout.includes(`making ${id}`) && !existsSync(join(madeDirectory, id)),
    isMade: async (_, id) => existsSync(join(madeDirectory, id)),
  }
}

async function startStock(
  options: StockOptions,
  env: Readonly<Record<string, string>>,
): Promise<RunningServer> {
  const child = new Child({ args: [entry, JSON.stringify(options)], env })
  const url = await child.firstOutput(() => /^listening at (\S+)$/m.exec(child.stdout)?.[1])
  if (url === undefined) throw new Error(`the stock stack did not start:\n${child.stderr}`)
  return {
    url,
    pid: child.pid,
    get running() {
      return child.running
    },
    get stdout() {
      return child.stdout
    },
    get stderr() {
      return child.stderr
    },
    kill: (signal) => child.kill(signal),
  }
}
