import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../database/database.ts'
import { hasCode } from '../../errors.ts'
import { amongOthers } from '../concat-locks.ts'
import { createFinal, type NewFinal } from '../concat-records.ts'
import { badConcat, uploadGone } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Leases } from '../leases.ts'
import { findUpload } from '../ledger.ts'
import type { Admission } from '../limits/admission.ts'
import type { Upload } from '../upload.ts'

/** How long a request waits for a concatenation, which goes on without it. */
const patienceMs = 30_000
const pollMs = 200

export interface ConcatenateDependencies {
  readonly database: Database
  readonly leases: Leases
  readonly finish: Finish
  readonly admission: Admission
}

/**
 * Makes an upload of others. Resolves once it is stored; or before, when some of the others are not
 * complete yet, or it takes long: it is recorded by then, and happens whatever becomes of this
 * request or this process.
 * @throws AppError `type-not-accepted` (415), as `createFinal`, also when it is removed meanwhile, and what the concatenation
 * failed with.
 */
export type Concatenate = (final: NewFinal, gone: AbortSignal) => Promise<Upload>

export function createConcatenate(
  { database, leases, finish, admission }: ConcatenateDependencies,
  maxSize: number,
): Concatenate {
  return async (final, gone) => {
    admission.requireType(final.contentType)
    const upload = await amongOthers(database, (trx) => createFinal(trx, final, maxSize, admission))
    if (upload.state !== 'assembling') return upload
    const working = leases.holdIfFree(upload.id, async (held, lease) => {
      if (held.state === 'assembling') await finish.assemble(lease)
    })
    return untilSettled(upload, gone, working.catch(unlessInterrupted))
  }

  /** @param working what is done here; with false when it is somebody else's. */
  async function untilSettled(upload: Upload, gone: AbortSignal, working: Promise<boolean>) {
    // A failure nobody waits for is for those who try it next.
    working.catch(() => {})
    const until = performance.now() + patienceMs
    let current = upload
    while (current.state === 'assembling' && performance.now() < until) {
      const timer = new AbortController()
      const signal = AbortSignal.any([gone, timer.signal])
      const pause = delay(pollMs, true, { signal })
      pause.catch(() => {})
      const isOurs = await Promise.race([working, pause])
      timer.abort()
      if (!isOurs) await delay(pollMs, undefined, { signal: gone })
      const found = await findUpload(database.queries, upload.id)
      if (!found) throw badConcat('what it makes was removed meanwhile')
      current = found
    }
    if (current.state === 'failed' || current.state === 'expired') throw uploadGone(current)
    return current
  }
}

/** Whoever wanted the lease may leave the upload as it is, and then the reconciler goes on with it. */
function unlessInterrupted(error: unknown): false {
  if (hasCode(error, 'upload-locked', 'lease-lost')) return false
  throw error
}
