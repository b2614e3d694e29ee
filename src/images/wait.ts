import { setTimeout as delay } from 'node:timers/promises'
import type { Queries } from '../database/database.ts'

/** Milliseconds between two looks: the first pause, the longest, and by what each one grows. */
const firstPause = 50
const longestPause = 1_000
const growth = 1.5

/**
 * Waits until an image is ready or has failed, or is no longer there. Each look is one indexed read.
 * @param ms the longest it waits. @param signal ends the waiting early.
 */
export async function untilConverted(
  queries: Queries,
  id: string,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + ms
  for (let pause = firstPause; ; pause = Math.min(pause * growth, longestPause)) {
    if (signal.aborted || !(await isProcessing(queries, id))) return
    const left = end - performance.now()
    if (left <= 0) return
    // Only the signal can end it otherwise.
    await delay(Math.min(pause, left), undefined, { signal }).catch(() => {})
  }
}

async function isProcessing(queries: Queries, id: string): Promise<boolean> {
  const row = await queries
    .selectFrom('images')
    .select('state')
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.state === 'processing'
}
