import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Queries } from '../../database/database.ts'
import type { JobRow, Schema } from '../../database/schema.ts'
import type { JobKind } from '../kinds.ts'
import { type LostJob, lostJobsBatch } from '../worker/store.ts'

const active = sql.lit('active' as const)

/** See `WorkStore.findExpired`. */
export function findExpired(
  queries: Queries,
  kinds: readonly JobKind[],
  now: number,
): Promise<LostJob[]> {
  return findActive(queries, kinds, (row) => row('lease_until', '<=', now))
}

/** See `WorkStore.findHeldBy`. */
export function findHeldBy(
  queries: Queries,
  kinds: readonly JobKind[],
  holders: readonly string[],
): Promise<LostJob[]> {
  return findActive(queries, kinds, (row) => row('lease_holder', 'in', holders))
}

/** See `WorkStore.findHolders`. */
export async function findHolders(queries: Queries): Promise<string[]> {
  const rows = await queries
    .selectFrom('jobs')
    .select('lease_holder')
    .distinct()
    .where('state', '=', active)
    .execute()
  return rows.flatMap((row) => row.lease_holder ?? [])
}

async function findActive(
  queries: Queries,
  kinds: readonly JobKind[],
  condition: (row: ExpressionBuilder<Schema, 'jobs'>) => Expression<SqlBool>,
): Promise<LostJob[]> {
  const rows = await queries
    .selectFrom('jobs')
    .selectAll()
    .where('state', '=', active)
    .where('kind', 'in', kinds)
    .where(condition)
    .orderBy('lease_until')
    .limit(lostJobsBatch)
    .execute()
  return rows.flatMap((row) => lostJob(row, kinds))
}

/** Nothing for a row that is no leased job of these kinds, which the query does not return. */
function lostJob(row: JobRow, kinds: readonly JobKind[]): LostJob[] {
  const kind = kinds.find((known) => known === row.kind)
  if (kind === undefined || row.lease_token === null || row.lease_until === null) return []
  return [
    {
      id: row.id,
      kind,
      payload: row.payload,
      attempts: row.attempts,
      maxAttempts: row.max_attempts,
      losses: row.losses,
      tries: row.tries,
      // A claim by a release that did not write it down.
      startedAt: row.started_at ?? row.run_at,
      token: row.lease_token,
      holder: row.lease_holder ?? 'unknown',
      seen: String(row.lease_until),
    },
  ]
}
