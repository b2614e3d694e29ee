/** What owners have, counted by looking at every upload. */
import type { Database } from '../../src/database/database.ts'

/** Bytes of stored uploads by owner, by the uploads themselves and by the table that keeps count. */
export async function usageOf({ queries }: Database) {
  const uploads = await queries.selectFrom('uploads').selectAll().execute()
  const stored = uploads.filter((row) => row.state === 'stored' && row.concat !== 'partial')
  const kept = await queries.selectFrom('usage').selectAll().execute()
  return {
    truth: sums(stored.map(({ owner, offset }) => [owner, offset])),
    kept: sums(kept.map(({ owner, bytes }) => [owner, bytes])),
  }
}

/** Owners with nothing are left out. */
function sums(entries: readonly (readonly [string, number])[]): Record<string, number> {
  const totals = new Map<string, number>()
  for (const [owner, bytes] of entries) totals.set(owner, (totals.get(owner) ?? 0) + bytes)
  return Object.fromEntries([...totals].filter(([, bytes]) => bytes !== 0).sort())
}
