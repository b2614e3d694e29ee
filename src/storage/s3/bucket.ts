import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { hasCode } from '../../errors.ts'
import type { ByteRange, StoredObject, UploadPart } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import { defaultLimits } from './client.ts'
import { Download } from './download.ts'
import { attemptsOf, isCephInProgress, isS3Error, statusOf, storageError } from './errors.ts'
import { formatCrc32 } from './integrity.ts'
import { formatPartTag, parsePartTag } from './part-tag.ts'

/** Bytes with the checksum they had when they arrived. */
export interface CheckedBytes {
  readonly bytes: Buffer
  readonly crc32: number
}

export function withChecksum(bytes: Buffer): CheckedBytes {
  return { bytes, crc32: crc32(bytes) }
}

/** What of a multipart upload a call is about. */
interface MultipartAt {
  readonly key: string
  readonly multipartId: string
}

/** Bytes of another object, from `start` to before `end`. */
export interface CopiedBytes {
  readonly key: string
  readonly start: number
  readonly end: number
  /** Given: they are all of the object, which has to be the one with this ETag. */
  readonly etag?: string
}

export interface TaggedObject extends StoredObject {
  readonly etag: string | undefined
}

interface CreatedMultipart {
  readonly multipartId: string
  /** With more than one, an attempt whose answer was lost may have created another. */
  readonly attempts: number
}

const anyType = 'application/octet-stream'
/** Statuses of a service that does not know the call, or does not allow it. */
const withoutListing = [403, 405, 501]
const withoutCopying = [405, 501]

/**
 * The calls to S3 that storage is made of, for one bucket. Keys are without the prefix; errors are
 * those of storage, and `upload-lost` stands for a multipart upload that is gone.
 */
export class Bucket {
  readonly #client: S3Client
  readonly #name: string
  readonly #prefix: string

  constructor(client: S3Client, name: string, prefix: string) {
    this.#client = client
    this.#name = name
    this.#prefix = prefix
  }

  /**
   * Stores an object, or replaces it. What storage then has was compared with the checksum.
   * @returns how many attempts it took; with more than one, an earlier one may yet land.
   */
  put(
    key: string,
    { bytes, crc32 }: CheckedBytes,
    contentType = anyType,
    signal?: AbortSignal,
  ): Promise<number> {
    return attempt(async () => {
      const body = { Body: bytes, ChecksumCRC32: formatCrc32(crc32), ContentType: contentType }
      const put = new PutObjectCommand({ ...this.#at(key), ...body })
      const answer = await this.#client.send(put, until(signal))
      return answer.$metadata.attempts ?? 1
    })
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const object = await this.headTagged(key, signal)
    return object && { size: object.size }
  }

  async headTagged(key: string, signal?: AbortSignal): Promise<TaggedObject | undefined> {
    try {
      return await attempt(async () => {
        const head = new HeadObjectCommand(this.#at(key))
        const answer = await this.#client.send(head, until(signal))
        const size = present(answer.ContentLength, 'ContentLength')
        return { size, etag: answer.ETag }
      })
    } catch (error) {
      if (hasCode(error, 'object-not-found')) return undefined
      throw error
    }
  }

  /** @throws `storage-unavailable` without a bucket: to HEAD, all objects are missing then. */
  async verify(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#name }))
    } catch (error) {
      throw statusOf(error) === 404 ? storageUnavailable(error) : storageError(error)
    }
  }

  get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
    return attempt(async () => {
      const get = {
        ...this.#at(key),
        ...(range && { Range: `bytes=${range.start}-${range.end}` }),
      }
      const answer = await this.#client.send(new GetObjectCommand(get), until(signal))
      if (!(answer.Body instanceof Readable)) throw new Error('The answer has no stream')
      return new Download(answer.Body, answer.ContentLength, defaultLimits.inactivity)
    })
  }

  /** When one fails the others are waited for. */
  async remove(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    // One call a key: not every compatible service knows DeleteObjects, and there are few keys.
    const remove = (key: string) =>
      attempt(() => this.#client.send(new DeleteObjectCommand(this.#at(key)), until(signal)))
    const removed = await Promise.allSettled(keys.map(remove))
    for (const each of removed) if (each.status === 'rejected') throw each.reason
  }

  /** AWS takes checksums with parts only when it was told so here. */
  createMultipart(key: string, signal?: AbortSignal): Promise<CreatedMultipart> {
    return attempt(async () => {
      const kind = { ContentType: anyType, ChecksumAlgorithm: 'CRC32' } as const
      const create = new CreateMultipartUploadCommand({ ...this.#at(key), ...kind })
      const answer = await this.#client.send(create, until(signal))
      const attempts = answer.$metadata.attempts ?? 1
      return { multipartId: present(answer.UploadId, 'UploadId'), attempts }
    })
  }

  /** Stores a part, or replaces it; what storage then has was compared with the checksum. */
  uploadPart(
    { key, multipartId }: MultipartAt,
    number: number,
    { bytes, crc32 }: CheckedBytes,
    signal?: AbortSignal,
  ): Promise<UploadPart> {
    return attempt(async () => {
      const body = { Body: bytes, ChecksumCRC32: formatCrc32(crc32) }
      const at = { ...this.#at(key), UploadId: multipartId, PartNumber: number }
      const answer = await this.#client.send(
        new UploadPartCommand({ ...at, ...body }),
        until(signal),
      )
      const tag = { etag: present(answer.ETag, 'ETag'), crc32: answer.ChecksumCRC32 }
      return { number, size: bytes.length, etag: formatPartTag(tag) }
    })
  }

  /**
   * Has storage make a part of bytes that it has already.
   * @returns undefined when it cannot copy, and surely did not.
   * @throws AppError `upload-lost` also when the other object is not there, or is another one.
   */
  async copyPart(
    { key, multipartId }: MultipartAt,
    number: number,
    source: CopiedBytes,
    signal?: AbortSignal,
  ): Promise<UploadPart | undefined> {
    const { Bucket: bucket, Key: from } = this.#at(source.key)
    const copy = new UploadPartCopyCommand({
      ...this.#at(key),
      UploadId: multipartId,
      PartNumber: number,
      CopySource: `${bucket}/${from}`.split('/').map(encodeURIComponent).join('/'),
      // AWS takes a range of large objects only.
      ...(source.etag === undefined
        ? { CopySourceRange: `bytes=${source.start}-${source.end - 1}` }
        : { CopySourceIfMatch: source.etag }),
    })
    try {
      const { CopyPartResult: copied } = await this.#client.send(copy, until(signal))
      const tag = { etag: present(copied?.ETag, 'ETag'), crc32: copied?.ChecksumCRC32 }
      return { number, size: source.end - source.start, etag: formatPartTag(tag) }
    } catch (error) {
      if (withoutCopying.includes(statusOf(error) ?? 0) && attemptsOf(error) === 1) return undefined
      const known = storageError(error)
      const isMissing =
        hasCode(known, 'object-not-found', 'range-not-satisfiable') || statusOf(error) === 412
      throw isMissing ? uploadLost(error) : known
    }
  }

  async completeMultipart(
    { key, multipartId }: MultipartAt,
    parts: readonly UploadPart[],
  ): Promise<void> {
    const list = parts.map((part) => {
      const { etag, crc32 } = parsePartTag(part.etag)
      return { PartNumber: part.number, ETag: etag, ...(crc32 && { ChecksumCRC32: crc32 }) }
    })
    const complete = {
      ...this.#at(key),
      UploadId: multipartId,
      MultipartUpload: { Parts: list },
    }
    try {
      await this.#client.send(new CompleteMultipartUploadCommand(complete))
    } catch (error) {
      const gone = isCephInProgress(error) && (await this.#lacksMultipart(key, multipartId))
      throw gone ? uploadLost(error) : storageError(error)
    }
  }

  async #lacksMultipart(key: string, multipartId: string): Promise<boolean> {
    const list = { ...this.#at(key), UploadId: multipartId, MaxParts: 1 }
    try {
      await this.#client.send(new ListPartsCommand(list))
      return false
    } catch (error) {
      return isS3Error(error, 'NoSuchUpload', 'NoSuchKey')
    }
  }

  /** Also when it is gone already. */
  async abortMultipart({ key, multipartId }: MultipartAt, signal?: AbortSignal): Promise<void> {
    const abort = new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: multipartId })
    try {
      await attempt(() => this.#client.send(abort, until(signal)))
    } catch (error) {
      if (!hasCode(error, 'upload-lost')) throw error
    }
  }

  /** Multipart uploads of exactly this key; none where the service does not tell. */
  async listMultiparts(key: string, signal?: AbortSignal): Promise<string[]> {
    const { Key: full, Bucket: bucket } = this.#at(key)
    try {
      const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: full })
      const { Uploads: uploads = [] } = await this.#client.send(list, until(signal))
      return uploads.flatMap((upload) =>
        upload.Key === full && upload.UploadId ? [upload.UploadId] : [],
      )
    } catch (error) {
      if (withoutListing.includes(statusOf(error) ?? 0)) return []
      throw storageError(error)
    }
  }

  /** The key of an object of some bucket, without the prefix; undefined where it is none of ours. */
  keyOf(bucket: string, key: string): string | undefined {
    const isOurs = bucket === this.#name && key.startsWith(this.#prefix)
    return isOurs ? key.slice(this.#prefix.length) : undefined
  }

  close(): void {
    this.#client.destroy()
  }

  #at(key: string) {
    return { Bucket: this.#name, Key: `${this.#prefix}${key}` }
  }
}

async function attempt<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw storageError(error)
  }
}

function until(signal: AbortSignal | undefined) {
  return signal ? { abortSignal: signal } : {}
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`The answer has no ${name}`)
  return value
}
