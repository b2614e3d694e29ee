export interface RetryPolicy {
  /** The longest pause after the first failure, in milliseconds. */
  readonly baseMs: number
  /** No pause is longer than this. */
  readonly maxMs: number
  /** How often a job is tried before it is dead. */
  readonly maxAttempts: number
}

/**
 * The pause before the next attempt in milliseconds, after `failures` (1 or more) failed ones:
 * exponential, with half of it random so that jobs that failed together do not return together.
 */
export function retryDelay(
  { baseMs, maxMs }: Pick<RetryPolicy, 'baseMs' | 'maxMs'>,
  failures: number,
  random: () => number = Math.random,
): number {
  const longest = Math.min(maxMs, baseMs * 2 ** (failures - 1))
  return Math.round(longest * (0.5 + 0.5 * random()))
}
