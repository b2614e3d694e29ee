import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { hasCode } from '../../errors.ts'
import type { RecordProgress, UploadPosition } from '../contract.ts'
import type { Adoption, DirectUploads } from '../direct-uploads.ts'
import { storageUnavailable } from '../errors.ts'
import { originalKey } from '../keys.ts'
import type { Bucket } from './bucket.ts'
import { startMultipart } from './multipart.ts'
import { Recorder } from './recorder.ts'

/** Bytes that S3 takes in one request, and copies in one. */
const largestPut = 5 * 2 ** 30

/** What is part of the signature, so that a request without it, or with another, is refused. */
const signedFields = new Set(['host', 'content-length', 'content-type'])

/**
 * PUT requests signed in the query (Signature Version 4), by the name of the endpoint that this
 * program uses itself.
 */
export function createDirectUploads(
  client: S3Client,
  bucket: Bucket,
  at: { readonly name: string; readonly prefix: string },
): DirectUploads {
  return {
    largestDirect: largestPut,
    async signUpload(key, { size, contentType, seconds }) {
      const put = new PutObjectCommand({
        Bucket: at.name,
        Key: `${at.prefix}${key}`,
        ContentLength: size,
        ContentType: contentType,
      })
      try {
        const options = { expiresIn: seconds, signableHeaders: signedFields }
        const url = await getSignedUrl(client, put, options)
        return { url, headers: { 'Content-Type': contentType } }
      } catch (error) {
        throw storageUnavailable(error)
      }
    },
    adopt: (...args) => adopt(bucket, ...args),
    keyOf: (name, key) => bucket.keyOf(name, key),
  }
}

/**
 * By a multipart upload of one part: a copy that was given up may yet be carried out, and must not
 * replace what somebody else confirmed meanwhile. So each try has a multipart upload of its own, and
 * that of the one before is aborted first.
 */
async function adopt(
  bucket: Bucket,
  position: UploadPosition,
  from: string,
  record: RecordProgress,
  signal: AbortSignal,
): Promise<Adoption> {
  const { id, length: size = 0 } = position
  const object = await bucket.headTagged(from, signal)
  if (!object) {
    await bucket.verify()
    return { outcome: 'absent' }
  }
  if (object.size !== size) return { outcome: 'other-size', size: object.size }
  const recorder = new Recorder(position, record, signal)
  const key = originalKey(id)
  try {
    if (recorder.multipartId) {
      await bucket.abortMultipart({ key, multipartId: recorder.multipartId }, signal)
      await recorder.advance({ multipartId: undefined })
    }
    const multipartId = await startMultipart(bucket, key, recorder, undefined, signal)
    const { etag } = object
    if (etag === undefined) throw storageUnavailable(new Error('The answer has no ETag'))
    const source = { key: from, start: 0, end: size, etag }
    const part = await bucket.copyPart({ key, multipartId }, 1, source, signal)
    if (!part) throw storageUnavailable(new Error('The service cannot copy'))
    await recorder.advance({ parts: [part], offset: size })
    return { outcome: 'adopted' }
  } catch (error) {
    signal.throwIfAborted()
    // Nothing was acknowledged that could be lost: it changed meanwhile, and may be tried again.
    throw hasCode(error, 'upload-lost') ? storageUnavailable(error) : error
  }
}
