import type { Readable } from 'node:stream'
import { Upload, type UploadOptions } from 'tus-js-client'
import { idOf } from '../../support/upload.ts'

declare module 'tus-js-client' {
  /** Exported by the package's Node build, but missing from its types. */
  class FileUrlStorage implements UrlStorage {
    constructor(path: string)
    findAllUploads(): Promise<PreviousUpload[]>
    findUploadsByFingerprint(fingerprint: string): Promise<PreviousUpload[]>
    removeUpload(urlStorageKey: string): Promise<void>
    addUpload(fingerprint: string, upload: PreviousUpload): Promise<string>
  }
}

/** Half a minute of tries. */
const retryDelays = Array.from({ length: 200 }, () => 150)

export interface SentRequest {
  readonly method: string
  readonly url: string
  readonly status: number
  /** The offset that was answered; NaN without one. */
  readonly offset: number
}

export interface Sending {
  readonly upload: Upload
  /** Every request that was answered, in the order of the answers. */
  readonly requests: readonly SentRequest[]
  /** Resolves with the id when all is sent; rejects when the client gives up. */
  readonly finished: Promise<string>
}

/**
 * Sends `body` to `server` with tus-js-client. Unlike the client's own defaults this tries again for
 * half a minute, and keeps no URLs. Rejects when the offset of an upload goes down.
 */
export function send(
  server: string,
  body: Buffer | Readable,
  options: UploadOptions = {},
): Sending {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const requests: SentRequest[] = []
  const endpoint = new URL('/files', server).href
  const upload = new Upload(body, {
    endpoint,
    retryDelays,
    storeFingerprintForResuming: false,
    metadata: { filename: 'picture.png', filetype: 'image/png' },
    onAfterResponse(request, response) {
      const [method, url] = [request.getMethod(), request.getURL()]
      const offset = Number.parseInt(response.getHeader('Upload-Offset') ?? '', 10)
      const isOld = (known: SentRequest) => known.url === url && known.offset > offset
      if (url !== endpoint && requests.some(isOld)) {
        reject(new Error(`the offset of ${url} went down to ${offset}`))
      }
      requests.push({ method, url, status: response.getStatus(), offset })
    },
    onSuccess: () => resolve(idOf(upload.url)),
    onError: reject,
    ...options,
  })
  promise.catch(() => {})
  upload.start()
  return { upload, requests, finished: promise }
}

/** How many requests of a method were answered with a status. */
export function count({ requests }: Sending, method: string, status: number): number {
  return requests.filter((request) => request.method === method && request.status === status).length
}
