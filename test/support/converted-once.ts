import { expect } from 'vitest'
import type { ConversionStand } from './conversion-stand.ts'
import { waitFor } from './wait.ts'

/** Waits until none of these images is being converted, and returns how many are ready. */
export async function untilSettled(
  stand: ConversionStand,
  ids: readonly string[],
  timeoutMs = 120_000,
): Promise<void> {
  let left = ids.length
  try {
    await waitFor(
      async () => {
        const { images } = await stand.records()
        left = ids.filter((id) => !isSettled(images.get(id))).length
        return left === 0
      },
      { timeoutMs, intervalMs: 250 },
    )
  } catch {
    throw new Error(`after ${timeoutMs} ms ${left} of ${ids.length} images are not converted`)
  }
}

export function isSettled(state: string | undefined): boolean {
  return state === 'ready' || state === 'failed'
}

/**
 * Every one of these images is ready and was said to be so once, and there is nothing in storage and
 * on disk but their originals and the renditions that records name.
 */
export async function expectConvertedOnce(
  stand: ConversionStand,
  ids: readonly string[],
): Promise<void> {
  const records = await stand.records()
  expect(ids.filter((id) => records.images.get(id) !== 'ready')).toEqual([])
  expect(ids.filter((id) => records.readyEvents.get(id) !== 1)).toEqual([])
  expect(records.images.size).toBe(ids.length)
  const originals = ids.map((id) => `uploads/${id}`)
  await untilOnly([...originals, ...records.renditionKeys].sort(), () => stand.storedKeys())
  await untilOnly([], () => stand.workFiles())
}

/** What is removed is removed soon; what is missing then, or too much, is told. */
async function untilOnly(expected: string[], look: () => Promise<string[]>): Promise<void> {
  let seen: string[] = []
  const isThere = async () => {
    seen = await look()
    return seen.join('\n') === expected.join('\n')
  }
  await waitFor(isThere, { timeoutMs: 20_000, intervalMs: 250 }).catch(() => {})
  expect(seen).toEqual(expected)
}
