import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { hasCode } from '../errors.ts'
import { appendEvent } from '../events/outbox.ts'
import type { JobQueue } from '../queue/contract.ts'
import { amongOthers, claimedMeanwhile, lockSources } from './concat-locks.ts'
import { giveUpFinal } from './concat-records.ts'
import { discardColumns, discardLater } from './discard.ts'
import { leaseLost, locked } from './errors.ts'
import type { Lease } from './held-lease.ts'
import type { Leases } from './leases.ts'
import { type Fence, findUpload } from './ledger.ts'
import { addUsage } from './limits/usage.ts'
import type { UploadListener } from './listener.ts'
import type { Reach } from './protocol/visitor.ts'
import { partial, type Upload } from './upload.ts'

export interface RemoveDependencies {
  readonly database: Database
  readonly queue: JobQueue
  readonly listener: UploadListener
  readonly leases: Leases
}

/**
 * Removes an upload and all that was made of it. Returns false when there is none. A request that
 * is writing to it ends first.
 * @param reach looks at it before; without, whoever calls has made sure that it may be removed.
 * @throws AppError what `reach` does, `upload-locked` (423) when that request does not end in time.
 */
export type RemoveUpload = (id: string, signal?: AbortSignal, reach?: Reach) => Promise<boolean>

const never = new AbortController().signal

/**
 * The records go at once, in one transaction with the jobs that remove the objects: what storage
 * cannot remove now is removed when it can.
 */
export function createRemoveUpload(dependencies: RemoveDependencies): RemoveUpload {
  const { database, queue, leases } = dependencies
  return async (id, signal = never, reach) => {
    let isKnown = false
    // A request that is writing to it is not ended for somebody who may not.
    if (leases.isHeldHere(id)) await reach?.(await findUpload(database.queries, id))
    try {
      const removed = await leases.hold(id, signal, async (upload, lease) => {
        await reach?.(upload)
        isKnown = true
        return holdingSources(dependencies, upload, signal, () =>
          amongOthers(database, (trx) => removeRecords(dependencies, trx, upload, lease)),
        )
      })
      if (removed) queue.wake()
      return removed
    } catch (error) {
      if (!hasCode(error, 'upload-not-found')) throw error
      if (isKnown) throw locked()
      return false
    }
  }
}

/**
 * Removes an upload as the one who may write to it, which is then nobody.
 * @param mayLand whether storage may yet carry out what it was asked for.
 * @throws AppError `lease-lost` (423)
 */
export type RemoveHeld = (lease: Lease, mayLand: boolean) => Promise<void>

/** For uploads that are not part of a concatenation. */
export function createRemoveHeld(dependencies: Omit<RemoveDependencies, 'leases'>): RemoveHeld {
  const { database, queue } = dependencies
  return async (lease, mayLand) => {
    const upload = { id: lease.id, concat: undefined, mayLand }
    await amongOthers(database, (trx) => removeRecords(dependencies, trx, upload, lease))
    lease.markEnded()
    queue.wake()
  }
}

/** Requests that are writing to what goes with an upload end first, too, or they would leave bytes. */
async function holdingSources<T>(
  { database, leases }: RemoveDependencies,
  { id, concat, state }: Upload,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  if (concat?.role !== 'final' || state !== 'receiving') return work()
  const rows = await database.queries
    .selectFrom('uploads')
    .select('id')
    .where('final_id', '=', id)
    .where('state', 'in', ['receiving', 'assembling'])
    .orderBy('id')
    .execute()
  return rows.reduceRight<() => Promise<T>>(
    (inner, row) => () => leases.hold(row.id, signal, inner),
    work,
  )()
}

async function removeRecords(
  { queue, listener }: Pick<RemoveDependencies, 'queue' | 'listener'>,
  trx: Transaction<Schema>,
  { id, concat, mayLand }: Pick<Upload, 'id' | 'concat'> & { readonly mayLand?: boolean },
  fence: Fence | undefined,
): Promise<boolean> {
  const finalId = concat && (await lockConcatenation(trx, id))
  const keys = await listener.removing(trx, id)
  let removal = trx.deleteFrom('uploads').where('id', '=', id)
  if (fence) removal = removal.where('lease_token', '=', fence.token)
  const row = await removal
    .returning([...discardColumns, 'concat', 'final_id', 'state', 'owner', 'offset'])
    .executeTakeFirst()
  if (!row) {
    if (fence) throw leaseLost()
    return false
  }
  if (row.final_id !== null) {
    if (row.final_id !== finalId) throw claimedMeanwhile()
    await leaveFinal(trx, row.final_id)
  }
  const sources = await removeSources(trx, id)
  for (const gone of [row, ...sources]) await discardLater(queue, trx, gone, mayLand)
  if (keys.length > 0) await queue.enqueue(trx, 'storage.remove', { keys })
  if (row.concat !== partial) {
    await appendEvent(trx, 'upload.removed', id, {})
    if (row.state === 'stored') await addUsage(trx, row.owner, -row.offset)
  }
  return true
}

/** @returns the final upload of the concatenation that an upload takes part in, if it does by now. */
async function lockConcatenation(
  trx: Transaction<Schema>,
  id: string,
): Promise<string | undefined> {
  const concat = (await findUpload(trx, id))?.concat
  const finalId = concat?.role === 'partial' ? concat.finalId : id
  if (finalId !== undefined) await lockSources(trx, finalId)
  return finalId
}

/**
 * An upload that is a part of another one goes: that one has failed, unless it has the bytes.
 * @throws AppError `upload-locked` (423) while it is about to take them.
 */
async function leaveFinal(trx: Transaction<Schema>, finalId: string): Promise<void> {
  const final = await trx
    .selectFrom('uploads')
    .select('state')
    .where('id', '=', finalId)
    .executeTakeFirst()
  if (final?.state === 'assembling') throw locked()
  await giveUpFinal(trx, finalId, {
    state: 'failed',
    failure: 'One of the uploads it was to be made of was removed.',
    expires_at: null,
  })
}

/** The uploads that one was made of go with it. */
function removeSources(trx: Transaction<Schema>, finalId: string) {
  return trx
    .deleteFrom('uploads')
    .where('final_id', '=', finalId)
    .returning(discardColumns)
    .execute()
}
