import { buffer } from 'node:stream/consumers'
import type { ObjectStorage } from '../../storage/contract.ts'
import { originalKey } from '../../storage/keys.ts'
import type { UploadListener } from '../listener.ts'
import { type Accept, acceptsFound } from './accept.ts'
import { typeNotAccepted } from './errors.ts'

export interface TypeCheckDependencies {
  readonly storage: Pick<ObjectStorage, 'read'>
  readonly listener: Pick<UploadListener, 'headSize' | 'typeOf'>
  readonly accept: Accept
}

/**
 * Looks at the first bytes of an upload whose object exists, where not every type is taken. What its
 * client says that it is counts for nothing.
 * @param size of the object, in bytes.
 * @throws AppError `type-not-accepted` (415), and what storage throws.
 */
export async function checkType(
  { storage, listener, accept }: TypeCheckDependencies,
  id: string,
  size: number,
): Promise<void> {
  if (accept === undefined) return
  const end = Math.min(size, listener.headSize) - 1
  const head =
    size === 0
      ? Buffer.alloc(0)
      : await buffer(await storage.read(originalKey(id), { start: 0, end }))
  requireAccepted(accept, await listener.typeOf(head))
}

/** @throws AppError `type-not-accepted` (415) @param type that the first bytes are of, if any. */
export function requireAccepted(accept: Accept, type: string | undefined): void {
  if (!acceptsFound(accept, type)) throw typeNotAccepted(accept)
}
