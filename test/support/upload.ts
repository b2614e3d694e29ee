/** Uploading the way the users of Landfall do: with tus-js-client. */
import { Upload } from 'tus-js-client'

export interface UploadOptions {
  readonly filename?: string
  readonly contentType?: string
  /** Bytes a request; 1 MiB when left out. */
  readonly chunkSize?: number
  /** Called with the bytes sent and the bytes of the file. */
  readonly onProgress?: (sent: number, total: number) => void
  /** Called when the client asked the server where to go on, with the answer. */
  readonly onResume?: (offset: number) => void
  /** Called for every request that got no answer. */
  readonly onBrokenRequest?: (error: Error) => void
  readonly signal?: AbortSignal
}

export interface FinishedUpload {
  readonly url: string
  readonly id: string
  /** The offsets at which the upload went on after an interruption. */
  readonly resumePoints: readonly number[]
  /** Uploads the client created; more than one means that it had to start over. */
  readonly created: number
}

const mebibyte = 1024 * 1024
/** Half a minute of tries, quick enough for tests and long enough for a restart of the server. */
const retryDelays = Array.from({ length: 200 }, () => 150)

/**
 * Uploads `body` to `server`, through every interruption. Rejects when the client gives up, and when
 * the server asks for bytes that it acknowledged before.
 */
export function uploadBuffer(
  server: string,
  body: Buffer,
  options: UploadOptions = {},
): Promise<FinishedUpload> {
  const { filename = 'upload.bin', contentType, onProgress, onResume, signal } = options
  const { promise, resolve, reject } = Promise.withResolvers<FinishedUpload>()
  const resumePoints: number[] = []
  let created = 0
  let acknowledged = 0
  const upload = new Upload(body, {
    endpoint: new URL('/files', server).href,
    chunkSize: options.chunkSize ?? mebibyte,
    retryDelays,
    storeFingerprintForResuming: false,
    metadata: { filename, ...(contentType && { filetype: contentType }) },
    onProgress: onProgress ?? null,
    onShouldRetry(error) {
      const status = error.originalResponse?.getStatus() ?? 0
      if (status === 0) options.onBrokenRequest?.(error)
      return status < 400 || status >= 500 || status === 409 || status === 423
    },
    onAfterResponse(request, response) {
      if (request.getMethod() === 'POST' && response.getStatus() === 201) created += 1
      const offset = Number(response.getHeader('Upload-Offset') ?? Number.NaN)
      if (response.getStatus() >= 300 || Number.isNaN(offset)) return
      if (offset < acknowledged) {
        void upload.abort()
        reject(new Error(`the offset went down from ${acknowledged} to ${offset}`))
        return
      }
      acknowledged = offset
      if (request.getMethod() !== 'HEAD') return
      resumePoints.push(offset)
      onResume?.(offset)
    },
    onSuccess: () =>
      resolve({ url: upload.url ?? '', id: idOf(upload.url), resumePoints, created }),
    onError: reject,
  })
  signal?.addEventListener('abort', () => {
    void upload.abort().finally(() => reject(signal.reason))
  })
  upload.start()
  return promise
}

/** An upload's id is the last segment of its URL. */
export function idOf(url: string | null): string {
  return new URL(url ?? '').pathname.split('/').at(-1) ?? ''
}
