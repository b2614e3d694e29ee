/**
 * How many bytes each owner has, in the ledger: of what is stored in the table `usage`, and of what
 * is not in the records of the uploads themselves.
 */
import { randomInt } from 'node:crypto'
import { sql } from 'kysely'
import type { Queries, Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'

const shards = 16

/**
 * Adds the bytes of an upload that becomes stored to what its owner has, or takes away (less than
 * zero) those of one that goes. Uploads that others are made of are not counted here.
 *
 * To be the last statement of the transaction that it belongs to. Who waits for a shard then waits
 * for somebody who has all that he needs, so no circle of waiting can come about through it. Nor is a
 * shard kept from others for longer than a commit takes; that there are several is so that uploads
 * of one owner which end at once need not queue up for that.
 */
export async function addUsage(
  trx: Transaction<Schema>,
  owner: string,
  bytes: number,
): Promise<void> {
  if (bytes === 0) return
  await trx
    .insertInto('usage')
    .values({ owner, shard: randomInt(shards), bytes })
    .onConflict((conflict) =>
      conflict
        .columns(['owner', 'shard'])
        .doUpdateSet((eb) => ({ bytes: eb('usage.bytes', '+', eb.ref('excluded.bytes')) })),
    )
    .execute()
}

// Both written out, as the condition of the index is: SQLite does not see it behind parameters.
const unfinished = sql<boolean>`state in ('receiving', 'assembling')`
const counted = sql<boolean>`(state in ('receiving', 'assembling') or (state = 'stored' and concat = 'partial' and (final_id is null or expires_at is null)))`

/**
 * Bytes that an owner has or has begun: those stored; the lengths of unfinished uploads, or what is
 * there of them while they have no length; and partial uploads (tus: Concatenation) until they are
 * used up or go. Once the length of what they become is known, that counts instead of them.
 *
 * In one statement, and so at one moment: an upload that becomes stored is not missed and not counted
 * twice.
 */
export function bytesQuery(owner: string) {
  return sql<{ bytes: number }>`select cast(
    coalesce((select sum(bytes) from usage where owner = ${owner}), 0)
    + coalesce((
      select sum(coalesce(length, "offset")) from uploads
      where owner = ${owner} and ${counted} and (final_id is null or (
        select whole.length from uploads whole where whole.id = uploads.final_id
      ) is null)
    ), 0) as bigint) as bytes`
}

/**
 * Counts an owner's unfinished uploads, but no further than to `most`. In the order of the index:
 * in any order PostgreSQL may hope to come across so few in the whole table soon.
 */
export function unfinishedQuery(owner: string, most: number) {
  return sql<{ count: number }>`select cast(count(*) as bigint) as count from (
    select 1 from uploads where owner = ${owner} and ${unfinished} order by final_id limit ${most}) as found`
}

/** Bytes that an owner has or has begun; see `bytesQuery`. */
export async function bytesOf(queries: Queries, owner: string): Promise<number> {
  const { rows } = await bytesQuery(owner).execute(queries)
  return rows[0]?.bytes ?? 0
}

/** An owner's unfinished uploads, but no more than `most`. */
export async function unfinishedOf(queries: Queries, owner: string, most: number): Promise<number> {
  const { rows } = await unfinishedQuery(owner, most).execute(queries)
  return rows[0]?.count ?? 0
}
