import { multipartStarting, type UnsettledParts } from '../contract.ts'
import type { Bucket } from './bucket.ts'
import type { Recorder } from './recorder.ts'

/**
 * Creates the multipart upload that parts go into. The ledger hears of it before, so that what a
 * crash or a lost answer leaves behind is looked for, and found by its key.
 *
 * @param unsettledParts those that are about to be begun, if the ledger has to know.
 */
export async function startMultipart(
  bucket: Bucket,
  key: string,
  recorder: Recorder,
  unsettledParts: UnsettledParts | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (recorder.multipartId === multipartStarting) await abortMultiparts(bucket, key, signal)
  else await recorder.advance({ multipartId: multipartStarting })
  const { multipartId, attempts } = await bucket.createMultipart(key, signal)
  await recorder.advance({ multipartId, unsettledParts })
  if (attempts > 1) await abortMultiparts(bucket, key, signal, multipartId)
  return multipartId
}

/** Aborts all multipart uploads of exactly this key, but one. */
export async function abortMultiparts(
  bucket: Bucket,
  key: string,
  signal?: AbortSignal,
  except?: string,
): Promise<void> {
  for (const multipartId of await bucket.listMultiparts(key, signal)) {
    if (multipartId !== except) await bucket.abortMultipart({ key, multipartId }, signal)
  }
}
