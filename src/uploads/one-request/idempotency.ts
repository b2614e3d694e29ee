/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header): what was asked for under a key is
 * done once. A key is taken in the transaction that creates the upload, so that of any number of
 * requests that come at once one goes on. It counts for as long as there is something to protect:
 * an upload that is under way or stored.
 */
import { createHash } from 'node:crypto'
import type { Queries, Transaction } from '../../database/database.ts'
import type { IdempotencyKeysTable, Schema } from '../../database/schema.ts'
import { isShared } from '../../database/shared.ts'
import { AppError } from '../../errors.ts'
import { leaseIsFree } from '../lease-records.ts'
import { findUpload, noLease } from '../ledger.ts'
import type { Upload } from '../upload.ts'

/** A key is forgotten after so many milliseconds. */
export const rememberedMs = 86_400_000
export const forgottenAtOnce = 100

export interface KeyedRequest {
  readonly owner: string
  readonly key: string
  /** What the request asks for, see `digestOfRequest`. */
  readonly request: string
}

/** What is to be done about a request with a key. */
export type Verdict =
  | { readonly kind: 'new'; readonly abandoned: string | undefined }
  | { readonly kind: 'repeated'; readonly uploadId: string }

/** What tells two requests apart that nothing was read of yet. */
export function digestOfRequest(...said: ReadonlyArray<string | number | undefined>): string {
  const text = JSON.stringify(said.map((each) => each ?? null))
  return createHash('sha256').update(text).digest('base64url')
}

/**
 * Looks at a key: one or two indexed reads.
 * @param isHeld whether somebody writes to an upload, as far as is known.
 * @throws AppError `idempotency-in-progress` (409), `idempotency-key-reused` (422).
 */
export async function judgeKey(
  queries: Queries,
  keyed: KeyedRequest,
  isHeld: (upload: Upload) => boolean,
): Promise<Verdict> {
  const row = await queries
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('owner', '=', keyed.owner)
    .where('key', '=', keyed.key)
    .executeTakeFirst()
  return row ? judge(queries, row, keyed, isHeld) : { kind: 'new', abandoned: undefined }
}

async function judge(
  queries: Queries,
  row: IdempotencyKeysTable,
  { request }: KeyedRequest,
  isHeld: (upload: Upload) => boolean,
): Promise<Verdict> {
  const upload = await findUpload(queries, row.upload_id)
  const isStored = upload?.state === 'stored' && row.created_at > Date.now() - rememberedMs
  const isUnderWay =
    upload?.state === 'assembling' || (upload?.state === 'receiving' && isHeld(upload))
  if (!isStored && !isUnderWay) {
    return { kind: 'new', abandoned: upload?.state === 'receiving' ? upload.id : undefined }
  }
  if (row.request !== request) throw reused()
  if (isUnderWay) throw inProgress()
  return { kind: 'repeated', uploadId: row.upload_id }
}

/**
 * Takes a key for an upload that the same transaction creates. An upload that was begun under the
 * key, and that nobody goes on with, can be removed then: nothing more is written to it.
 * @throws AppError as `judgeKey`.
 */
export async function takeKey(
  trx: Transaction<Schema>,
  uploadId: string,
  keyed: KeyedRequest,
  isHeld: (upload: Upload) => boolean,
): Promise<Verdict> {
  const { owner, key, request } = keyed
  const values = { request, upload_id: uploadId, created_at: Date.now() }
  // Who comes at the same time waits here for the other one's transaction to end.
  const { numInsertedOrUpdatedRows: inserted } = await trx
    .insertInto('idempotency_keys')
    .values({ owner, key, ...values })
    .onConflict((conflict) => conflict.columns(['owner', 'key']).doNothing())
    .executeTakeFirstOrThrow()
  if (inserted === 1n) return { kind: 'new', abandoned: undefined }
  const row = await lockKey(trx, keyed)
  if (!row) throw inProgress()
  const verdict = await judge(trx, row, keyed, isHeld)
  if (verdict.kind === 'repeated') return verdict
  if (verdict.abandoned && !(await endLease(trx, verdict.abandoned))) throw inProgress()
  await trx
    .updateTable('idempotency_keys')
    .set(values)
    .where('owner', '=', owner)
    .where('key', '=', key)
    .execute()
  return verdict
}

async function lockKey(
  trx: Transaction<Schema>,
  { owner, key }: KeyedRequest,
): Promise<IdempotencyKeysTable | undefined> {
  return trx
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('owner', '=', owner)
    .where('key', '=', key)
    .$if(isShared(trx), (query) => query.forUpdate())
    .executeTakeFirst()
}

/** Whoever had the lease of an upload, and let it run out, can record nothing any more. */
async function endLease(trx: Transaction<Schema>, id: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('uploads')
    .set(noLease)
    .where('id', '=', id)
    .where('state', '=', 'receiving')
    .where(leaseIsFree(Date.now()))
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Forgets keys that are old enough, a hundred at most. @returns how many. */
export async function forgetKeys(queries: Queries, now: number): Promise<number> {
  const { numDeletedRows } = await forgetQuery(queries, now - rememberedMs).executeTakeFirst()
  return Number(numDeletedRows)
}

/** Exported for the test that looks at its plan. */
export function forgetQuery(queries: Queries, until: number) {
  return queries
    .deleteFrom('idempotency_keys')
    .where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple('owner', 'key'),
        'in',
        selectFrom('idempotency_keys')
          .select(['owner', 'key'])
          .where('created_at', '<=', until)
          .orderBy('created_at')
          .limit(forgottenAtOnce)
          .$asTuple('owner', 'key'),
      ),
    )
}

function inProgress(): AppError {
  const message = 'The first request with this Idempotency-Key is still under way.'
  return new AppError('idempotency-in-progress', 409, message, { retryAfter: 1 })
}

function reused(): AppError {
  const message = 'This Idempotency-Key was used for another request.'
  return new AppError('idempotency-key-reused', 422, message)
}
