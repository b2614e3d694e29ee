import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Database } from '../../database/database.ts'
import type { JobRow, Schema } from '../../database/schema.ts'
import type { JobKind } from '../kinds.ts'
import type { LostJob } from './transitions.ts'

/** No more than this many are found at once. */
export const lostJobsBatch = 100
const active = sql.lit('active' as const)

/** Active jobs of these kinds whose lease has run out, the longest silent first; at most a batch. */
export function findExpired(
  database: Database,
  kinds: readonly JobKind[],
  now: number,
): Promise<LostJob[]> {
  return findActive(database, kinds, (row) => row('lease_until', '<=', now))
}

/** Active jobs of these kinds held by one of `holders`; at most a batch. */
export function findHeldBy(
  database: Database,
  kinds: readonly JobKind[],
  holders: readonly string[],
): Promise<LostJob[]> {
  return findActive(database, kinds, (row) => row('lease_holder', 'in', holders))
}

/** Everybody who holds a job. */
export async function findHolders({ queries }: Database): Promise<string[]> {
  const rows = await queries
    .selectFrom('jobs')
    .select('lease_holder')
    .distinct()
    .where('state', '=', active)
    .execute()
  return rows.flatMap((row) => row.lease_holder ?? [])
}

async function findActive(
  { queries }: Database,
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
      token: row.lease_token,
      holder: row.lease_holder,
      leaseUntil: row.lease_until,
    },
  ]
}
