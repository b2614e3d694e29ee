import { Readable } from 'node:stream'
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
} from '@aws-sdk/client-s3'
import { hasCode } from '../../errors.ts'
import type { ByteRange, StoredObject, UploadPart } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import { isCephInProgress, isS3Error, statusOf, storageError } from './errors.ts'

/** Statuses of a service that does not know the call, or does not allow it. */
const withoutListing = [403, 405, 501]

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

  put(key: string, body: Buffer, contentType = 'application/octet-stream'): Promise<void> {
    return attempt(async () => {
      const put = { ...this.#at(key), Body: body, ContentType: contentType }
      await this.#client.send(new PutObjectCommand(put))
    })
  }

  async head(key: string): Promise<StoredObject | undefined> {
    try {
      return await attempt(async () => {
        const answer = await this.#client.send(new HeadObjectCommand(this.#at(key)))
        return { size: present(answer.ContentLength, 'ContentLength') }
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
      const options = signal ? { abortSignal: signal } : {}
      const { Body: body } = await this.#client.send(new GetObjectCommand(get), options)
      if (!(body instanceof Readable)) throw new Error('The answer has no stream')
      return body
    })
  }

  async remove(keys: readonly string[]): Promise<void> {
    // One call a key: not every compatible service knows DeleteObjects, and there are few keys.
    await Promise.all(
      keys.map((key) => attempt(() => this.#client.send(new DeleteObjectCommand(this.#at(key))))),
    )
  }

  createMultipart(key: string): Promise<string> {
    return attempt(async () => {
      const create = { ...this.#at(key), ContentType: 'application/octet-stream' }
      const answer = await this.#client.send(new CreateMultipartUploadCommand(create))
      return present(answer.UploadId, 'UploadId')
    })
  }

  /** Stores a part, or replaces it. @returns its etag. */
  uploadPart(key: string, multipartId: string, number: number, body: Buffer): Promise<string> {
    return attempt(async () => {
      const part = { ...this.#at(key), UploadId: multipartId, PartNumber: number, Body: body }
      const answer = await this.#client.send(new UploadPartCommand(part))
      return present(answer.ETag, 'ETag')
    })
  }

  async completeMultipart(
    key: string,
    multipartId: string,
    parts: readonly UploadPart[],
  ): Promise<void> {
    const list = parts.map((part) => ({ PartNumber: part.number, ETag: part.etag }))
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

  async abortMultipart(key: string, multipartId: string): Promise<void> {
    try {
      await attempt(() =>
        this.#client.send(
          new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: multipartId }),
        ),
      )
    } catch (error) {
      if (!hasCode(error, 'upload-lost')) throw error
    }
  }

  /** Multipart uploads of exactly this key; none where the service does not tell. */
  async listMultiparts(key: string): Promise<string[]> {
    const { Key: full, Bucket: bucket } = this.#at(key)
    try {
      const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: full })
      const { Uploads: uploads = [] } = await this.#client.send(list)
      return uploads.flatMap((upload) =>
        upload.Key === full && upload.UploadId ? [upload.UploadId] : [],
      )
    } catch (error) {
      if (withoutListing.includes(statusOf(error) ?? 0)) return []
      throw storageError(error)
    }
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

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`The answer has no ${name}`)
  return value
}
