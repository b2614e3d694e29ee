/** How the stock stack is to be set up; everything else is as it comes. */
export interface StockOptions {
  readonly store:
    | { readonly directory: string }
    | { readonly bucket: string; readonly env: Readonly<Record<string, string>> }
  /** Where what the finish hook made of an upload goes. */
  readonly madeDirectory: string
  /**
   * How requests get to it: its own `listen`, `handleWeb` behind a listener of Request and Response,
   * or `handle` within a Hono application.
   */
  readonly mount: 'listen' | 'handleWeb' | 'hono'
  /** Milliseconds; 0 for never. */
  readonly expiresIn: number
  /** Milliseconds a request waits for one that has the upload. */
  readonly lockTimeout?: number | undefined
  /** Leaves what is sent along with a body to the AWS SDK, which not every S3 service takes. */
  readonly sdkChecksums: boolean
  /** A cache of S3Store that keeps text, as one in Redis does; in memory without it. */
  readonly cacheDirectory?: string | undefined
}
