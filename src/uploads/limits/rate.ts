/** How fast somebody may begin uploads. */
import { type RawBuilder, sql } from 'kysely'
import { serializeList } from 'structured-headers'
import type { Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { isShared } from '../../database/shared.ts'
import { TooManyUploadsError } from './errors.ts'

/** Where somebody stands who has begun an upload, or wanted to. */
export interface Rate {
  readonly perMinute: number
  /** How many more may begin now. */
  readonly remaining: number
  /** Seconds until as many may as ever. */
  readonly resetAfter: number
}

/** Microseconds: whole milliseconds would be too coarse to divide a minute by. */
const minute = 60_000_000

/**
 * Has somebody begin one more upload, if it is time for that: the generic cell rate algorithm (ITU-T
 * I.371, annex A) with the table's `full_at` as the theoretical arrival time. A minute's worth may
 * begin at once; each comes back a minute divided by their number later.
 *
 * One statement decides, on the clock of the database where several processes share it, so it is
 * exact for all of them. What a transaction took that is rolled back was not taken.
 * @throws TooManyUploadsError (429)
 */
export async function takeFromRate(
  trx: Transaction<Schema>,
  owner: string,
  perMinute: number,
): Promise<Rate> {
  const each = Math.floor(minute / perMinute)
  const now = clock(trx)
  // A time that no upload can have led to is left from a clock that was wrong.
  const { rows } = await sql<Standing>`
    insert into upload_rates (owner, full_at) values (${owner}, ${now} + ${each})
    on conflict (owner) do update set full_at = case
      when upload_rates.full_at > excluded.full_at - ${each} and upload_rates.full_at <= excluded.full_at + ${minute}
      then upload_rates.full_at + ${each} else excluded.full_at end
    where upload_rates.full_at <= excluded.full_at + ${minute - 2 * each}
      or upload_rates.full_at > excluded.full_at + ${minute}
    returning full_at as "fullAt", ${now} as now`.execute(trx)
  const [taken] = rows
  if (taken) return rateOf(taken, perMinute, each)
  const found = await sql<Standing>`
    select full_at as "fullAt", ${now} as now from upload_rates where owner = ${owner}`.execute(trx)
  const standing = found.rows[0] ?? { fullAt: 0, now: 0 }
  const wait = Math.ceil((standing.fullAt + each - minute - standing.now) / 1_000_000)
  throw new TooManyUploadsError(rateOf(standing, perMinute, each), Math.max(1, wait))
}

interface Standing {
  readonly fullAt: number
  readonly now: number
}

function rateOf({ fullAt, now }: Standing, perMinute: number, each: number): Rate {
  const used = Math.max(0, fullAt - now)
  const remaining = Math.max(0, Math.floor((minute - used) / each))
  return {
    perMinute,
    remaining: Math.min(remaining, perMinute),
    resetAfter: Math.ceil(used / 1_000_000),
  }
}

/** Microseconds since 1970. A database of one process has no clock but that process's. */
function clock(trx: Transaction<Schema>): RawBuilder<number> {
  return isShared(trx)
    ? sql`cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)`
    : sql`cast(${Date.now() * 1_000} as bigint)`
}

const policy = 'uploads'

/** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers); none where there is no rate. */
export function rateFields(rate: Rate | undefined): Record<string, string> {
  if (!rate) return {}
  const field = (parameters: Record<string, number>) =>
    serializeList([[policy, new Map(Object.entries(parameters))]])
  return {
    'RateLimit-Policy': field({ q: rate.perMinute, w: minute / 1_000_000 }),
    RateLimit: field({ r: rate.remaining, t: rate.resetAfter }),
  }
}
