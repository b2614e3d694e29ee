/** Leases in the ledger. A process holds each of its leases under a token of its own. */
import { type ExpressionBuilder, sql } from 'kysely'
import type { Database, Queries } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'
import { type Fence, noLease } from './ledger.ts'
import { type LeaseRecord, toUpload, type Upload } from './upload.ts'

/**
 * Takes the lease of an upload that still takes bytes or waits to be assembled, if it is free or has
 * run out.
 * @returns the upload, or undefined when the lease cannot be had.
 */
export async function claimLease(
  queries: Queries,
  id: string,
  lease: LeaseRecord,
  now = Date.now(),
): Promise<Upload | undefined> {
  const row = await queries
    .updateTable('uploads')
    .set({
      lease_holder: lease.holder,
      lease_token: lease.token,
      lease_until: lease.until,
      lease_wanted: 0,
    })
    .where('id', '=', id)
    .where((eb) =>
      eb.or([
        eb('state', '=', 'assembling'),
        eb('state', '=', 'receiving').and(
          eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]),
        ),
      ]),
    )
    .where(leaseIsFree(now))
    .returningAll()
    .executeTakeFirst()
  return row && toUpload(row)
}

/** Milliseconds for an answer about the time, beyond which it says too little. */
const promptAnswer = 1_000

/**
 * How far the clock that leases go by is ahead of ours, in milliseconds: processes on several
 * machines go by the database's. Undefined when the answer takes too long to tell.
 */
export async function readClockOffset({ kind, queries }: Database): Promise<number | undefined> {
  if (kind === 'sqlite') return 0
  const asked = Date.now()
  const now = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`
  const { rows } = await sql<{ now: number }>`select ${now} as now`.execute(queries)
  const answered = Date.now()
  const theirs = rows[0]?.now
  if (theirs === undefined || answered - asked > promptAnswer) return undefined
  return Math.round(theirs - (asked + answered) / 2)
}

/** The condition that nobody has the lease of an upload, or not any more. */
export function leaseIsFree(now: number) {
  return (eb: ExpressionBuilder<Schema, 'uploads'>) =>
    eb.or([eb('lease_until', 'is', null), eb('lease_until', '<=', now)])
}

/** Extends leases of a holder. Returns the tokens it still has. */
export async function renewLeases(
  queries: Queries,
  holder: string,
  tokens: readonly string[],
  until: number,
): Promise<Set<string | null>> {
  const held = queries
    .selectFrom('uploads')
    .select('id')
    .where('lease_holder', '=', holder)
    .where('lease_token', 'in', tokens)
    .orderBy('id')
  // In the order in which others lock several uploads (see `concat-locks.ts`).
  const rows = await queries
    .with('held', () => (isShared(queries) ? held.forUpdate() : held))
    .updateTable('uploads')
    .set({ lease_until: until })
    .where('id', 'in', (eb) => eb.selectFrom('held').select('held.id'))
    .where('lease_holder', '=', holder)
    .where('lease_token', 'in', tokens)
    .returning('lease_token')
    .execute()
  return new Set(rows.map((row) => row.lease_token))
}

/** Lets the holder of a lease know that somebody waits for it. */
export async function wantLease(queries: Queries, { id, token }: Fence): Promise<void> {
  await queries
    .updateTable('uploads')
    .set({ lease_wanted: 1 })
    .where('id', '=', id)
    .where('lease_token', '=', token)
    .where('lease_wanted', '=', 0)
    .execute()
}

/** The tokens of a holder's leases that somebody waits for. */
export async function findWanted(queries: Queries, holder: string): Promise<Set<string | null>> {
  const rows = await queries
    .selectFrom('uploads')
    .select('lease_token')
    .where('lease_holder', '=', holder)
    .where('lease_wanted', '=', 1)
    .execute()
  return new Set(rows.map((row) => row.lease_token))
}

/** Ends a lease; does nothing when it is lost already. */
export async function releaseLease(queries: Queries, { id, token }: Fence): Promise<void> {
  await queries
    .updateTable('uploads')
    .set(noLease)
    .where('id', '=', id)
    .where('lease_token', '=', token)
    .execute()
}

/** Every process that holds a lease. */
export async function findHolders(queries: Queries): Promise<string[]> {
  const rows = await queries
    .selectFrom('uploads')
    .select('lease_holder')
    .distinct()
    .where('lease_holder', 'is not', null)
    .execute()
  return rows.flatMap(({ lease_holder }) => lease_holder ?? [])
}

/** Ends the leases of processes that are gone. */
export async function voidLeases(queries: Queries, holders: readonly string[]): Promise<void> {
  if (holders.length === 0) return
  await queries.updateTable('uploads').set(noLease).where('lease_holder', 'in', holders).execute()
}
