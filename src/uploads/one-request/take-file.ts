import type { Readable } from 'node:stream'
import type { Database } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import type { Leases } from '../leases.ts'
import type { Rate } from '../limits/rate.ts'
import { contentTypeOf, filenameOf } from '../metadata.ts'
import type { RemoveHeld, RemoveUpload } from '../remove.ts'
import type { AtOnce, Begin, Wish } from '../requests/begin.ts'
import type { Incoming } from '../requests/incoming.ts'
import { inOneRequest } from '../upload.ts'
import { badForm, mostAround, openForm } from './form.ts'
import { digestOfRequest, judgeKey, type KeyedRequest, takeKey } from './idempotency.ts'

/** A request that brings all of a file, and what its head says of it. */
export interface FileRequest {
  readonly owner: string
  readonly stream: Readable
  readonly isChunked: boolean
  /** Bytes of the body; undefined when that is not said. */
  readonly announced: number | undefined
  /** `Content-Type` as it was sent: that of the file, or of a form that the file is in. */
  readonly contentType: string | undefined
  readonly filename: string | undefined
  /** `Idempotency-Key`. */
  readonly key: string | undefined
}

export interface TakeFileDependencies {
  readonly database: Database
  readonly leases: Pick<Leases, 'isHeld'>
  readonly begin: Begin
  readonly removeHeld: RemoveHeld
  readonly remove: RemoveUpload
}

/**
 * Stores the file of a request as an upload like all others. When it
 * throws, nothing of the upload stays. What a request with a key that was taken before brought is
 * returned without reading the body.
 * @throws AppError `bad-form` (400), `idempotency-in-progress` (409), `idempotency-key-reused` (422),
 * what beginning an upload does, and what the request broke with.
 */
export type TakeFile = (request: FileRequest) => Promise<TakenFile>

export interface TakenFile {
  /** Of the upload. */
  readonly id: string
  /** Where its owner stands by the rate of uploads, if there is one and this upload was begun by it. */
  readonly rate: Rate | undefined
}

export function createTakeFile(dependencies: TakeFileDependencies): TakeFile {
  const { database, leases } = dependencies
  return async (request) => {
    const { owner, key } = request
    const form = boundaryOf(request.contentType)
    const keyed = key === undefined ? undefined : { owner, key, request: describe(request, form) }
    if (keyed) {
      const verdict = await judgeKey(database.queries, keyed, (upload) => leases.isHeld(upload))
      if (verdict.kind === 'repeated') return { id: verdict.uploadId, rate: undefined }
    }
    try {
      return await (form === undefined
        ? takeBody(dependencies, request, keyed)
        : takeForm(dependencies, request, form, keyed))
    } catch (error) {
      if (error instanceof Repeated) return { id: error.uploadId, rate: undefined }
      throw error
    }
  }
}

/** The same request was through with it in the meantime. */
class Repeated extends Error {
  readonly uploadId: string

  constructor(uploadId: string) {
    super('the request was made before')
    this.uploadId = uploadId
  }
}

async function takeBody(
  dependencies: TakeFileDependencies,
  { owner, stream, isChunked, announced, contentType, filename }: FileRequest,
  keyed: KeyedRequest | undefined,
): Promise<TakenFile> {
  if (!isChunked && !announced) {
    throw new AppError('no-file', 400, 'The request has no body: there is no file in it.')
  }
  const wish = {
    owner,
    ...described(filename, contentType),
    length: isChunked ? undefined : announced,
    ending: isChunked ? 'end-of-request' : 'last-byte',
  } as const
  return store(dependencies, wish, { stream, announced: wish.length }, keyed)
}

async function takeForm(
  dependencies: TakeFileDependencies,
  { owner, stream, announced = 0, filename }: FileRequest,
  boundary: string,
  keyed: KeyedRequest | undefined,
): Promise<TakenFile> {
  using file = await openForm(stream, boundary)
  const wish = {
    owner,
    ...described(file.filename ?? filename, file.contentType),
    length: undefined,
    ending: 'end-of-request',
  } as const
  // At least so many of them are the file's.
  const incoming = { stream: file.content, announced: Math.max(0, announced - mostAround) }
  try {
    return await store(dependencies, wish, incoming, keyed)
  } catch (error) {
    // The file only broke; here is why.
    throw file.failure ?? error
  }
}

type FileWish = Pick<Wish, 'owner' | 'length' | 'filename' | 'contentType' | 'ending'>

async function store(
  { leases, begin, remove, removeHeld }: TakeFileDependencies,
  wish: FileWish,
  incoming: Incoming,
  keyed: KeyedRequest | undefined,
): Promise<TakenFile> {
  let abandoned: string | undefined
  const atOnce: AtOnce = {
    alongside: keyed
      ? async (trx, id) => {
          const verdict = await takeKey(trx, id, keyed, (upload) => leases.isHeld(upload))
          if (verdict.kind === 'repeated') throw new Repeated(verdict.uploadId)
          abandoned = verdict.abandoned
        }
      : undefined,
    // What cannot be removed now expires.
    discard: (lease, reason) => removeHeld(lease, isOurs(reason)).catch(() => {}),
  }
  try {
    const wanted = { ...wish, ...inOneRequest }
    const { id, rate } = await begin(wanted, incoming, { atOnce })
    return { id, rate }
  } finally {
    if (abandoned) await remove(abandoned).catch(() => {})
  }
}

/** Whether a request broke by what is behind us, which may be at it still, and not by its client. */
function isOurs(reason: unknown): boolean {
  return reason instanceof AppError && reason.status >= 500
}

/** What is known of a file; types that programs name when they know none say nothing. */
function described(filename: string | undefined, contentType: string | undefined) {
  const type = mediaTypeOf(contentType)
  const isKnown =
    type !== 'application/octet-stream' && type !== 'application/x-www-form-urlencoded'
  return {
    filename: filenameOf({ filename: filename ?? null }),
    contentType: isKnown ? contentTypeOf({ type: type ?? null }) : undefined,
  }
}

function mediaTypeOf(field: string | undefined): string | undefined {
  return field?.split(';', 1)[0]?.trim().toLowerCase()
}

/** @returns undefined for a body that is no form. @throws AppError `bad-form` (400) */
function boundaryOf(field: string | undefined): string | undefined {
  if (mediaTypeOf(field) !== 'multipart/form-data') return undefined
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]*)"|([^\s;"]+))/i.exec(field ?? '') ?? []
  const boundary = quoted ?? plain ?? ''
  // RFC 2046, section 5.1.1.
  if (!/^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary)) {
    throw badForm('Content-Type names no boundary that can be one.')
  }
  return boundary
}

/**
 * Each try of the same form may have another boundary, which is in there twice at least, and may be
 * of another length.
 */
function describe(request: FileRequest, boundary: string | undefined): string {
  const { announced, contentType, filename } = request
  if (boundary === undefined) return digestOfRequest(announced, contentType, filename)
  const length = announced === undefined ? undefined : announced - 2 * boundary.length
  return digestOfRequest(length, 'multipart/form-data', filename)
}
