import { AppError } from '../../errors.ts'
import { uploadGone } from '../errors.ts'
import type { Lease } from '../held-lease.ts'
import { declareLength } from '../ledger.ts'
import type { Received } from '../receive.ts'
import type { Upload } from '../upload.ts'
import { bodyOf, hasBytes, requireRoomFor, requireSpace } from './bytes.ts'
import { expires, idOf, type TusDependencies, type TusMethod, type TusOptions } from './context.ts'
import { uploadTooLarge } from './create.ts'
import type { TusRequest } from './request.ts'

/** PATCH: the bytes at an offset, and the length of an upload that was begun without one. */
export function patchMethod(dependencies: TusDependencies, options: TusOptions): TusMethod {
  const { leases } = dependencies
  return async (request) => {
    const id = idOf(request)
    const from = readOffset(request)
    const received = await leases.hold(id, request.gone, async (upload, lease) => {
      if (upload.state === 'failed' || upload.state === 'expired') throw uploadGone(upload)
      if (upload.offset !== from) {
        throw new AppError('offset-mismatch', 409, `The upload stands at ${upload.offset} bytes.`)
      }
      return lease
        ? proceed(dependencies, options, request, upload, lease)
        : asItIs(request, upload)
    })
    return {
      status: 204,
      headers: {
        'Upload-Offset': String(received.offset),
        ...(!received.stored && expires(received.expiresAt)),
      },
    }
  }
}

function readOffset(request: TusRequest): number {
  if (!hasBytes(request)) {
    const type = 'application/offset+octet-stream'
    throw new AppError('bad-content-type', 400, `Content-Type has to be ${type}.`)
  }
  const from = request.wholeNumber('Upload-Offset')
  if (from === undefined) throw new AppError('bad-header', 403, 'Upload-Offset is required.')
  return from
}

/** An upload that is stored already takes no bytes; being told so again does no harm. */
function asItIs(request: TusRequest, upload: Upload): Received {
  requireRoomFor(request, upload.offset, upload.offset)
  return { offset: upload.offset, stored: true, expiresAt: undefined }
}

async function proceed(
  { database, storage, receive, finish }: TusDependencies,
  options: TusOptions,
  request: TusRequest,
  found: Upload,
  lease: Lease,
): Promise<Received> {
  const declared = readDeclaredLength(request, found, options)
  requireRoomFor(request, found.offset, declared ?? found.length ?? options.maxSize)
  if (declared !== undefined) await requireSpace(storage, declared - found.offset)
  const upload =
    declared === undefined
      ? found
      : await database.transaction((trx) => declareLength(trx, lease, declared))
  const end = upload.length ?? options.maxSize
  if (upload.state === 'assembling') {
    const { offset } = await finish.assemble(lease)
    return { offset, stored: true, expiresAt: undefined }
  }
  const body = bodyOf(request, lease, end - upload.offset)
  const received = await receive(lease, body)
  if (!received.stored && !body.ended) lease.letGo.throwIfAborted()
  return { ...received, expiresAt: received.expiresAt ?? upload.expiresAt }
}

/**
 * The length that is said now. To say a known one again is no error: a client whose request broke
 * does not know that it was heard.
 */
function readDeclaredLength(
  request: TusRequest,
  { length, offset }: Upload,
  { maxSize }: TusOptions,
): number | undefined {
  const declared = request.wholeNumber('Upload-Length')
  if (declared === undefined) return undefined
  if ((length ?? declared) !== declared || declared < offset) {
    throw new AppError(
      'bad-header',
      400,
      'Upload-Length can be set once, and not below the offset.',
    )
  }
  if (declared > maxSize) throw uploadTooLarge(maxSize)
  return length === undefined ? declared : undefined
}
