import type { StockOptions } from './stock-options.ts'
import type { S3Store } from './stores.ts'

/** A process that serves uploads. */
export interface RunningServer {
  readonly url: string
  readonly pid: number
  readonly running: boolean
  readonly stdout: string
  readonly stderr: string
  kill(signal?: NodeJS.Signals): Promise<unknown>
}

export interface ProductSettings {
  /** How long unfinished uploads are kept; a day when left out. */
  readonly expiresInSeconds?: number
  /** What only the stock stack can be told. */
  readonly stock?: {
    readonly mount?: StockOptions['mount']
    readonly lockTimeoutMs?: number
    /** Sends bodies the way the AWS SDK does when it is told nothing. */
    readonly sdkChecksums?: boolean
    /** A cache of metadata that keeps text, as one in Redis does. */
    readonly textCache?: boolean
  }
}

export interface ProductOptions {
  /** All it may write to. */
  readonly directory: string
  /** Without it, objects are kept on disk. */
  readonly s3?: S3Store
  readonly env: Readonly<Record<string, string>>
  readonly settings: ProductSettings
}

/** What the servers differ in, apart from how well they do. */
export interface Product {
  /** Where objects lie when they are kept on disk. */
  readonly objectDirectory: string
  /** How long it takes at most until something happens that it does by itself, if it does. */
  readonly patienceMs: number
  /** Again and again on the same data. */
  start(): Promise<RunningServer>
  keyOf(id: string): string
  contentPath(id: string): string
  isBeingMade(server: RunningServer, id: string): Promise<boolean>
  isMade(server: RunningServer, id: string): Promise<boolean>
}

export type CreateProduct = (options: ProductOptions) => Promise<Product>
