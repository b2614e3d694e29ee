import { createTakeBytes, type TakeBytesDependencies } from '../requests/take-bytes.ts'
import {
  type BeginLink,
  type BeginLinkDependencies,
  type BeginLinkOptions,
  createBeginLink,
} from './begin.ts'
import { type CompleteDependencies, type CompleteLink, createCompleteLink } from './complete.ts'
import { createTakeStorageEvent, type TakeStorageEvent } from './storage-events.ts'
import { createLinkSweep, type LinkSweep, type LinkSweepDependencies } from './sweep.ts'
import { createTakeContent, type TakeContent } from './take-content.ts'

/**
 * Uploads by link: an upload in the ledger whose bytes a client sends with one PUT, straight to
 * storage where storage can take them, and says that it did. On disk the PUT is to this server, and
 * the ledger knows of the bytes; in a bucket they lie aside (`incoming/`), where nothing counts:
 *
 * ```
 *              ┌─disk: all bytes──┐
 * receiving ───┤                  ├──confirmed, or found──▶ assembling ──▶ stored
 *     │        └─bucket: copied───┘                      (as any upload)
 *     └──never used──▶ expired
 * ```
 */
export interface UploadLinks {
  readonly begin: BeginLink
  readonly takeContent: TakeContent
  readonly complete: CompleteLink
  readonly takeStorageEvent: TakeStorageEvent
  readonly sweep: LinkSweep
}

type Dependencies = CompleteDependencies &
  BeginLinkDependencies &
  TakeBytesDependencies &
  Pick<LinkSweepDependencies, 'logger'>

export function createUploadLinks(
  dependencies: Dependencies,
  options: BeginLinkOptions,
): UploadLinks {
  const { storage } = dependencies
  const { expiresIn } = options
  const complete = createCompleteLink(dependencies)
  return {
    begin: createBeginLink(dependencies, options),
    takeContent: createTakeContent({ ...dependencies, takeBytes: createTakeBytes(dependencies) }),
    complete,
    takeStorageEvent: createTakeStorageEvent(storage, complete),
    sweep: createLinkSweep({ ...dependencies, complete, expiresIn }),
  }
}
