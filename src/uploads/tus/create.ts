import { Metadata } from '@tus/server'
import { AppError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { createUpload, startOf } from '../ledger.ts'
import { contentTypeOf, filenameOf, type UploadMetadata } from '../metadata.ts'
import type { Received } from '../receive.ts'
import { bodyOf, hasBytes, requireRoomFor, requireSpace } from './bytes.ts'
import { expires, type TusDependencies, type TusMethod, type TusOptions } from './context.ts'
import type { TusRequest } from './request.ts'

/** Much shorter than a lease, so that nobody else can have had one of a new upload meanwhile. */
const exclusiveMs = 3_000

/**
 * POST: creation, creation-with-upload and creation-defer-length. With bytes it answers when they
 * are recorded, and with all of them when the upload is stored.
 */
export function createMethod(dependencies: TusDependencies, options: TusOptions): TusMethod {
  return async (request) => {
    const wish = readWish(request, options)
    await requireSpace(dependencies.storage, wish.length)
    const id = newId()
    const received = await begin(dependencies, options, request, id, wish)
    return {
      status: 201,
      headers: {
        Location: `${options.publicUrl ?? ''}${options.path}/${id}`,
        ...(hasBytes(request) && { 'Upload-Offset': String(received.offset) }),
        ...(!received.stored && expires(received.expiresAt)),
      },
    }
  }
}

interface Wish {
  readonly length: number | undefined
  readonly metadata: string | undefined
  readonly parsed: UploadMetadata
}

function readWish(request: TusRequest, { maxSize }: TusOptions): Wish {
  const { headers } = request
  if (headers.has('Upload-Concat')) {
    throw new AppError('not-supported', 400, 'Concatenation is not supported: send one upload.')
  }
  const length = request.wholeNumber('Upload-Length')
  if ((length === undefined) === (headers.get('Upload-Defer-Length') === null)) {
    throw new AppError(
      'bad-header',
      400,
      'Either Upload-Length or Upload-Defer-Length is required.',
    )
  }
  if (length !== undefined && length > maxSize) throw uploadTooLarge(maxSize)
  if (hasBytes(request)) requireRoomFor(request, 0, length ?? maxSize)
  const metadata = headers.get('Upload-Metadata') ?? undefined
  return { length, metadata, parsed: metadata ? parseMetadata(metadata) : {} }
}

/** @throws AppError `upload-too-large` (413) */
export function uploadTooLarge(maxSize: number): AppError {
  return new AppError('upload-too-large', 413, `Uploads have at most ${maxSize} bytes here.`)
}

function parseMetadata(text: string): UploadMetadata {
  try {
    return Metadata.parse(text)
  } catch (cause) {
    const form = 'pairs of a key and a Base64 value, separated by commas, each key once'
    throw new AppError('bad-header', 400, `Upload-Metadata has to be ${form}.`, { cause })
  }
}

async function begin(
  { database, leases, receive, finish, owner }: TusDependencies,
  { maxSize, expiresIn }: TusOptions,
  request: TusRequest,
  id: string,
  { length, metadata, parsed }: Wish,
): Promise<Received> {
  const expiresAt = Date.now() + expiresIn
  const upload = {
    id,
    owner: owner.id,
    dialect: 'tus',
    length,
    metadata,
    filename: filenameOf(parsed),
    contentType: contentTypeOf(parsed),
    expiresAt,
  }
  const nothing = { offset: 0, stored: false, expiresAt }
  if (length !== 0 && !hasBytes(request)) {
    await database.transaction((trx) => createUpload(trx, upload))
    return nothing
  }
  return leases.holdNew(id, async (lease, record) => {
    const untouchedUntil = performance.now() + exclusiveMs
    await createUpload(database.queries, upload, record)
    if (length === 0) {
      await finish.assemble(lease)
      return { ...nothing, stored: true }
    }
    const body = bodyOf(request, lease, length ?? maxSize)
    const received = await receive(lease, body, { ...startOf(upload), untouchedUntil })
    if (!received.stored && !body.ended) lease.letGo.throwIfAborted()
    return { ...received, expiresAt: received.expiresAt ?? expiresAt }
  })
}
