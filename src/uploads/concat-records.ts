/**
 * Concatenation in the ledger (tus: Concatenation). A partial upload belongs to the first final one
 * that names it, and its bytes move there; the final one is `receiving` while it waits for partial
 * ones, and `assembling` from the moment all of them are stored.
 */
import type { Queries, Transaction } from '../database/database.ts'
import type { Schema, UploadRow } from '../database/schema.ts'
import type { AppError } from '../errors.ts'
import type { UploadSource } from '../storage/contract.ts'
import { discardColumns } from './discard.ts'
import { badConcat, uploadGone, uploadTooLarge } from './errors.ts'
import type { Admission } from './limits/admission.ts'
import { partial, toUpload, type Upload } from './upload.ts'

export type NewFinal = Pick<
  Upload,
  'id' | 'owner' | 'dialect' | 'metadata' | 'filename' | 'contentType'
> & {
  /** `Upload-Concat` as it was sent. */
  readonly header: string
  /** The ids of the partial uploads, in order; at least one. */
  readonly sources: readonly string[]
}

/** How long the record of a partial upload stays whose bytes are in the final one. */
const rememberedMs = 86_400_000

/**
 * Begins a final upload, which takes its partial ones for itself. Asked again for the same ones, as
 * by a client that did not hear the answer, it returns the upload there is.
 * @throws AppError `bad-concat` (400), `upload-expired`, `upload-failed` (410), `upload-too-large`,
 * `quota-exceeded` (413).
 */
export async function createFinal(
  trx: Transaction<Schema>,
  final: NewFinal,
  maxSize: number,
  admission: Pick<Admission, 'join'>,
): Promise<Upload> {
  const found = await findRows(trx, final.sources)
  for (const id of final.sources) requirePartial(found.get(id), final.owner)
  const rows = await claimAll(trx, final)
  const [finalId, ...others] = new Set([...rows.values()].map((row) => row.final_id))
  if (others.length > 0) throw badConcat(takenAlready)
  if (finalId !== final.id) return findEarlier(trx, final, finalId ?? null)
  const { length, least } = measure(final.sources, rows)
  if (least > maxSize) throw uploadTooLarge(maxSize)
  const extra = least - measure([...rows.keys()], rows).least
  const isReady = [...rows.values()].every(({ state }) => state === 'stored')
  const row = await admission.join(trx, { owner: final.owner, length, extra }, () =>
    insertFinal(trx, final, length, isReady),
  )
  return toUpload(row)
}

const takenAlready = 'it names an upload that is a part of another one already'

async function findRows(
  queries: Queries,
  ids: readonly string[],
): Promise<ReadonlyMap<string, UploadRow>> {
  const rows = await queries.selectFrom('uploads').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, row]))
}

function requirePartial(row: UploadRow | undefined, owner: string): void {
  if (row?.owner !== owner || row.concat !== partial) {
    throw badConcat('it names an upload that is no partial one of yours')
  }
  throwIfGone(toUpload(row))
}

function throwIfGone(upload: Upload): void {
  if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
}

async function findEarlier(
  trx: Transaction<Schema>,
  { sources }: NewFinal,
  id: string | null,
): Promise<Upload> {
  const row = await trx.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
  if (row?.sources !== JSON.stringify(sources)) throw badConcat(takenAlready)
  const earlier = toUpload(row)
  throwIfGone(earlier)
  return earlier
}

/**
 * The bytes of uploads one after the other: how many it will be, undefined while that is not known of
 * all of them, and how many at least.
 */
function measure(ids: readonly string[], rows: ReadonlyMap<string, UploadRow>) {
  const each = ids.map((id) => rows.get(id))
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
  const lengths = each.flatMap((row) => row?.length ?? [])
  return {
    length: lengths.length === ids.length ? sum(lengths) : undefined,
    least: sum(each.map((row) => row?.length ?? row?.offset ?? 0)),
  }
}

async function insertFinal(
  trx: Transaction<Schema>,
  final: NewFinal,
  length: number | undefined,
  isReady: boolean,
): Promise<UploadRow> {
  const now = Date.now()
  return trx
    .insertInto('uploads')
    .values({
      id: final.id,
      owner: final.owner,
      dialect: final.dialect,
      length: length ?? null,
      offset: 0,
      metadata: final.metadata ?? null,
      filename: final.filename ?? null,
      content_type: final.contentType ?? null,
      concat: final.header,
      sources: JSON.stringify(final.sources),
      state: isReady ? 'assembling' : 'receiving',
      tail_size: 0,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/**
 * Takes those that no other upload has. One after the other and in the order of their ids, so that two
 * of these never wait for each other (see `concat-locks.ts`). @returns them as they are by then, locked.
 */
async function claimAll(
  trx: Transaction<Schema>,
  { id, owner, sources }: NewFinal,
): Promise<ReadonlyMap<string, UploadRow>> {
  const rows = new Map<string, UploadRow>()
  for (const source of [...new Set(sources)].sort()) {
    const row = await trx
      .updateTable('uploads')
      .set((eb) => ({
        final_id: eb.fn.coalesce('final_id', eb.val(id)),
        // It stays for as long as the final one may need it.
        expires_at: eb
          .case()
          .when(eb.and([eb('state', '=', 'stored'), eb('final_id', 'is', null)]))
          .then(null)
          .else(eb.ref('expires_at'))
          .end(),
      }))
      .where('id', '=', source)
      .where('owner', '=', owner)
      .where('concat', '=', partial)
      .where('state', 'in', ['receiving', 'assembling', 'stored'])
      .returningAll()
      .executeTakeFirst()
    if (!row) throw badConcat('an upload that it names went away')
    rows.set(source, row)
  }
  return rows
}

/**
 * A partial upload is stored: when it was the last one that its final upload waited for, that goes
 * on to `assembling`, or fails when it turns out to be larger than uploads may be. Returns whether it
 * goes on.
 */
export async function noteSourceStored(
  trx: Transaction<Schema>,
  finalId: string,
  maxSize: number,
): Promise<boolean> {
  // This waits for others that do the same, each of whom may believe that another one is missing.
  const final = await trx
    .updateTable('uploads')
    .set({ updated_at: Date.now() })
    .where('id', '=', finalId)
    .where('state', '=', 'receiving')
    .returningAll()
    .executeTakeFirst()
  if (!final) return false
  const upload = toUpload(final)
  const sources = upload.concat?.role === 'final' ? upload.concat.sources : []
  const rows = await findRows(trx, sources)
  if (!sources.every((id) => rows.get(id)?.state === 'stored')) return false
  const { length = 0 } = measure(sources, rows)
  const isTooLarge = length > maxSize
  await trx
    .updateTable('uploads')
    .set(isTooLarge ? failedNow(uploadTooLarge(maxSize)) : { state: 'assembling', length })
    .where('id', '=', finalId)
    .execute()
  return !isTooLarge
}

/** The others are not locked: the sweep clears away what a failed upload waited for. */
function failedNow({ message }: AppError) {
  return { state: 'failed', failure: message, expires_at: Date.now() } as const
}

/** What a final upload is made of, in order. One that has no record any more is not among them. */
export async function readSources(
  queries: Queries,
  ids: readonly string[],
): Promise<UploadSource[]> {
  const rows = await findRows(queries, ids)
  return ids.flatMap((id) => {
    const row = rows.get(id)
    return row ? [{ id, size: row.offset }] : []
  })
}

/** The length of a final upload that waits, as far as it can be told by now. */
export async function lengthOfSources(
  queries: Queries,
  ids: readonly string[],
): Promise<number | undefined> {
  return measure(ids, await findRows(queries, ids)).length
}

/** The bytes of partial uploads are in the final one: @returns what is to be discarded of them. */
export function consumeSources(trx: Transaction<Schema>, finalId: string) {
  return trx
    .updateTable('uploads')
    .set({ expires_at: Date.now() + rememberedMs })
    .where('final_id', '=', finalId)
    .returning(discardColumns)
    .execute()
}

/**
 * A final upload that waits for a partial one which will never be stored has failed, or expired as
 * that one did. What else it waited for goes, too. Its partial ones have to be locked.
 * @returns false when it does not wait any more, and is left as it is.
 */
export async function giveUpFinal(
  trx: Transaction<Schema>,
  finalId: string,
  given: Pick<UploadRow, 'state' | 'failure' | 'expires_at'>,
): Promise<boolean> {
  const now = Date.now()
  const { numUpdatedRows } = await trx
    .updateTable('uploads')
    .set({ ...given, updated_at: now })
    .where('id', '=', finalId)
    .where('state', '=', 'receiving')
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  await releaseSources(trx, finalId, now)
  return true
}

/** Locked uploads that nothing is made of after all: those that are stored go at once. */
export async function releaseSources(
  trx: Transaction<Schema>,
  finalId: string,
  now: number,
): Promise<void> {
  await trx
    .updateTable('uploads')
    .set((eb) => ({
      final_id: null,
      expires_at: eb.case().when('state', '=', 'stored').then(now).else(eb.ref('expires_at')).end(),
    }))
    .where('final_id', '=', finalId)
    .execute()
}
