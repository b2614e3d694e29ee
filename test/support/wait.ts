import { setTimeout as delay } from 'node:timers/promises'

export interface WaitOptions {
  /** After this long the wait fails. */
  readonly timeoutMs?: number
  /** Time between two looks. */
  readonly intervalMs?: number
  /** What is waited for, to complete the sentence "gave up waiting for …". */
  readonly what?: string
}

/**
 * Looks until `look` returns something other than undefined, null or false, and returns that. What
 * `look` throws ends the wait.
 */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 50, what = 'a condition' }: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== null && seen !== false) {
      return seen as Exclude<T, undefined | null | false>
    }
    if (performance.now() > deadline) {
      throw new Error(`gave up waiting for ${what} after ${timeoutMs} ms`)
    }
    await delay(intervalMs)
  }
}
