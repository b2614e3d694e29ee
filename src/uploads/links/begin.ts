import type { Database } from '../../database/database.ts'
import { newId } from '../../ids.ts'
import { hasLimitedSpace, type Storage } from '../../storage/contract.ts'
import { type DirectTarget, hasDirectUploads } from '../../storage/direct-uploads.ts'
import { incomingKey } from '../../storage/keys.ts'
import { uploadTooLarge } from '../errors.ts'
import { createUpload } from '../ledger.ts'
import type { Admission } from '../limits/admission.ts'
import type { Rate } from '../limits/rate.ts'
import { byLink, type NewUpload } from '../upload.ts'
import { tooLargeForLink } from './errors.ts'
import { firstCheck, linkTimes } from './times.ts'

const anyType = 'application/octet-stream'

export interface BeginLinkOptions {
  readonly maxSize: number
  /** Milliseconds an unfinished upload is kept for. */
  readonly expiresIn: number
}

export interface LinkWish {
  readonly owner: string
  readonly size: number
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

export interface BegunLink {
  readonly id: string
  /** Until when the bytes may be sent, in milliseconds since 1970. */
  readonly until: number
  /** What a client has to send along. */
  readonly headers: Readonly<Record<string, string>>
  /** Where it sends them; undefined when it is to be this server. */
  readonly url: string | undefined
  /** Where its owner stands by the rate of uploads, if there is one. */
  readonly rate: Rate | undefined
}

/**
 * Begins an upload whose bytes are sent by a link.
 * @throws AppError `type-not-accepted` (415), `upload-too-large` (413), `storage-full` (507),
 * `storage-unavailable` (503), and what `Admission` throws for those who may not begin one.
 */
export type BeginLink = (wish: LinkWish) => Promise<BegunLink>

export interface BeginLinkDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly admission: Admission
}

export function createBeginLink(
  { database, storage, admission }: BeginLinkDependencies,
  { maxSize, expiresIn }: BeginLinkOptions,
): BeginLink {
  async function sign(
    id: string,
    wish: LinkWish,
    seconds: number,
  ): Promise<DirectTarget | undefined> {
    if (!hasDirectUploads(storage)) return undefined
    const { size, contentType = anyType } = wish
    return storage.signUpload(incomingKey(id), { size, contentType, seconds })
  }

  return async (wish) => {
    const { owner, size, filename, contentType } = wish
    admission.requireType(contentType)
    if (size > maxSize) throw uploadTooLarge(maxSize)
    if (hasDirectUploads(storage) && size > storage.largestDirect) {
      throw tooLargeForLink(storage.largestDirect)
    }
    if (hasLimitedSpace(storage)) await storage.requireRoom(size)
    const id = newId()
    const now = Date.now()
    const { lifetime, expiresAt } = linkTimes(now, expiresIn)
    const target = await sign(id, wish, Math.ceil(lifetime / 1_000))
    const until = Date.now() + lifetime
    const upload: NewUpload = {
      id,
      owner,
      ...byLink,
      length: size,
      filename,
      contentType,
      expiresAt,
      link: { checkAt: firstCheck(now, expiresIn), incomingUntil: target && until },
    }
    const rate = await database.transaction((trx) =>
      admission.begin(trx, upload, () => createUpload(trx, upload, undefined, false)),
    )
    const headers = target?.headers ?? { 'Content-Type': contentType ?? anyType }
    return { id, until, headers, url: target?.url, rate }
  }
}
