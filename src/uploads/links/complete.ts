import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../database/database.ts'
import type { Storage } from '../../storage/contract.ts'
import { type DirectUploads, hasDirectUploads } from '../../storage/direct-uploads.ts'
import { incomingKey } from '../../storage/keys.ts'
import { declareComplete } from '../declare.ts'
import { locked, stopping, uploadGone, uploadNotFound } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Lease } from '../held-lease.ts'
import type { Leases } from '../leases.ts'
import { findUpload, recordProgress } from '../ledger.ts'
import { readPosition } from '../position.ts'
import { isByLink, type Upload } from '../upload.ts'
import { notArrived, otherSize } from './errors.ts'

/** How long it is waited for whoever has the upload, and how often looked. */
const patienceMs = 10_000
const pollMs = 200

export interface CompleteDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly leases: Leases
  readonly finish: Finish
}

/**
 * Looks whether the bytes of an upload by link have come, and if so, takes the upload to `stored`.
 * May be called at any time and as often as one likes: after a crash at any point the next call goes
 * on, and calls at the same time are one. A client that is sending bytes meanwhile is not disturbed.
 * @throws AppError `upload-not-found` (404), `upload-not-arrived`, `size-mismatch` (409), `upload-expired`,
 * `upload-failed` (410), `upload-locked` (423) when somebody else takes long, `stopping` (503), and what
 * finishing does.
 */
export type CompleteLink = (id: string) => Promise<Upload>

export function createCompleteLink(dependencies: CompleteDependencies): CompleteLink {
  const running = new Map<string, Promise<Upload>>()
  return (id) => {
    const begun = running.get(id)
    if (begun !== undefined) return begun
    const completing = completeOnce(dependencies, id).finally(() => running.delete(id))
    running.set(id, completing)
    return completing
  }
}

async function completeOnce(dependencies: CompleteDependencies, id: string): Promise<Upload> {
  const { database, storage, leases } = dependencies
  const deadline = performance.now() + patienceMs
  for (;;) {
    const upload = await findUpload(database.queries, id)
    if (!upload || !isByLink(upload)) throw uploadNotFound()
    if (upload.state === 'stored') return upload
    if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
    // Where the bytes come to this server the ledger knows of them.
    if (!hasDirectUploads(storage) && upload.offset !== upload.length) throw notArrived()
    const result: { upload?: Upload } = {}
    await leases.holdIfFree(id, async (held, lease) => {
      result.upload = await finishHeld(dependencies, held, lease)
    })
    if (result.upload) return result.upload
    // Nobody gets a lease any more, however long it is waited for.
    if (leases.isStopping) throw stopping()
    if (performance.now() > deadline) throw locked()
    await delay(pollMs)
  }
}

async function finishHeld(
  { database, storage, finish }: CompleteDependencies,
  upload: Upload,
  lease: Lease,
): Promise<Upload> {
  if (upload.state === 'receiving' && hasDirectUploads(storage)) {
    await adopt(database, storage, upload, lease)
  } else if (upload.state === 'receiving') {
    if (upload.offset !== upload.length) throw notArrived()
    await database.transaction((trx) => declareComplete(trx, lease, upload.offset))
  }
  return finish.assemble(lease)
}

/** `receiving → assembling`, once what came is in storage for good. */
async function adopt(
  database: Database,
  storage: Storage & DirectUploads,
  { id, expiresAt = Date.now() }: Upload,
  lease: Lease,
): Promise<void> {
  const position = await readPosition(database.queries, id)
  if (!position) throw uploadNotFound()
  const key = incomingKey(id)
  const adoption = await storage.adopt(
    position,
    key,
    (progress) => recordProgress(database, lease, progress, expiresAt),
    AbortSignal.any([lease.letGo, lease.lost]),
  )
  if (adoption.outcome === 'absent') throw notArrived()
  if (adoption.outcome === 'other-size') {
    await storage.remove([key])
    throw otherSize(position.length ?? 0, adoption.size)
  }
}
