export interface BenchOptions {
  /** Bytes of one upload, where the lane leaves the choice. */
  readonly size: number
  /** How many things, where the lane leaves the choice. */
  readonly count: number
  /** How often each contestant is measured. */
  readonly rounds: number
  /** The least a call to S3 takes. */
  readonly s3LatencyMs: number
  /** Whether the server of the API lanes asks for a token. */
  readonly auth: boolean
}

export interface Lane {
  readonly name: string
  /** One line: what is measured, and how. */
  readonly description: string
  /** Bytes of one upload when nothing else is asked for; undefined where it is not up to the caller. */
  readonly usualSize: number | undefined
  /** How many when nothing else is asked for; left out where it is not up to the caller. */
  readonly usualCount?: number
  /** Measures and prints. */
  run(options: BenchOptions): Promise<void>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
  return (lower + upper) / 2
}
