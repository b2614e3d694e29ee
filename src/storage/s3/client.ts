import { S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'

export interface S3Options {
  readonly bucket: string
  /** Unset: AWS. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Whether the bucket is named in the path; unset: with an endpoint of one's own. */
  readonly forcePathStyle?: boolean | undefined
  /** Put before every key: empty, or ending in a slash. */
  readonly prefix?: string | undefined
  readonly limits?: Partial<S3Limits>
}

export interface S3Limits {
  /** Milliseconds until a connection has to stand. */
  readonly connect: number
  /** Milliseconds without a byte in either direction after which a request has failed. */
  readonly inactivity: number
  /** How often the SDK tries in all. */
  readonly attempts: number
  /**
   * Connections for requests that store or ask, and as many for reading. The time a request waits
   * for one counts towards `connect`, so there should be one for every upload.
   */
  readonly sockets: number
}

const defaultLimits: S3Limits = { connect: 3_000, inactivity: 30_000, attempts: 3, sockets: 500 }

/**
 * A client with the SDK's own chain of credentials. Retries are the SDK's, which is why all bodies
 * are Buffers.
 *
 * Checksums are sent only where S3 demands them: the defaults make CompleteMultipartUpload ask for
 * one of every part, and some compatible services refuse them. Bodies are still protected, by the
 * SHA-256 that is part of the signature.
 */
export function createS3Client(options: S3Options): S3Client {
  const limits = { ...defaultLimits, ...options.limits }
  return new S3Client({
    region: options.region,
    ...(options.endpoint && { endpoint: options.endpoint }),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: limits.attempts,
    requestHandler: createHandler(limits),
  })
}

type Handle = NodeHttpHandler['handle']

/**
 * While an object is read, silence may well be our own reader who takes his time, so a read has to
 * begin in time but may pause; any other request fails when nothing moves.
 */
function createHandler(limits: S3Limits) {
  const agent = { maxSockets: limits.sockets }
  const shared = {
    connectionTimeout: limits.connect,
    httpAgent: agent,
    httpsAgent: agent,
    // Waiting for a free socket is how storing is slowed down, and nothing to warn of.
    socketAcquisitionWarningTimeout: 2 ** 31 - 1,
  }
  const asking = new NodeHttpHandler({ ...shared, socketTimeout: limits.inactivity })
  const reading = new NodeHttpHandler({
    ...shared,
    requestTimeout: limits.inactivity,
    throwOnRequestTimeout: true,
  })
  return {
    metadata: asking.metadata,
    handle: (...[request, settings]: Parameters<Handle>): ReturnType<Handle> =>
      (request.method === 'GET' ? reading : asking).handle(request, settings),
    destroy() {
      asking.destroy()
      reading.destroy()
    },
  }
}
