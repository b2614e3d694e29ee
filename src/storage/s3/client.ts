import { S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { MemoryBudget } from '../memory/budget.ts'
import { protectBodies, type Trust } from './integrity.ts'

export interface S3Options {
  readonly bucket: string
  /** Unset: AWS. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Whether the bucket is named in the path; unset: with an endpoint of one's own. */
  readonly forcePathStyle?: boolean | undefined
  /** Put before every key: empty, or ending in a slash. */
  readonly prefix?: string | undefined
  /** For what uploads hold in memory; unset: one of its own, of 96 MiB. */
  readonly memory?: MemoryBudget
  readonly limits?: Partial<S3Limits>
}

export interface S3Limits {
  /** Milliseconds until a connection has to stand. */
  readonly connect: number
  /** Milliseconds without a byte in either direction after which a request has failed. */
  readonly inactivity: number
  /**
   * The same for a request to copy: nothing moves then while storage does, which some do at a few
   * MiB in a second.
   */
  readonly copying: number
  /** How often the SDK tries in all. */
  readonly attempts: number
  /**
   * Connections for requests that store or ask, and as many for reading. The time a request waits
   * for one counts towards `connect`, so there should be one for every upload.
   */
  readonly sockets: number
}

export const defaultLimits: S3Limits = {
  connect: 3_000,
  inactivity: 12_000,
  copying: 60_000,
  attempts: 3,
  sockets: 500,
}

/**
 * A client with the SDK's own chain of credentials. Retries are the SDK's, which is why all bodies
 * are Buffers; `integrity.ts` says what protects them.
 *
 * Of its own accord the SDK sends checksums only where S3 demands them: what it would add to
 * everything, some compatible services refuse. Nor does it ask before it sends a body
 * (`Expect: 100-continue`): for that it would open a new connection for every part.
 */
export function createS3Client(options: S3Options, trust: Trust): S3Client {
  const limits = { ...defaultLimits, ...options.limits }
  const client = new S3Client({
    region: options.region,
    ...(options.endpoint && { endpoint: options.endpoint }),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    maxAttempts: limits.attempts,
    requestHandler: createHandler(limits),
  })
  protectBodies(client, trust)
  return client
}

type Handle = NodeHttpHandler['handle']

/**
 * While an object is read, silence may well be our own reader who takes his time, so a read has to
 * begin in time but may pause; any other request fails when nothing moves, a copy later than others.
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
  const copying = new NodeHttpHandler({ ...shared, socketTimeout: limits.copying })
  const reading = new NodeHttpHandler({
    ...shared,
    requestTimeout: limits.inactivity,
    throwOnRequestTimeout: true,
  })
  const handlerOf = ({ method, headers }: Parameters<Handle>[0]) => {
    if (method === 'GET') return reading
    return 'x-amz-copy-source' in headers ? copying : asking
  }
  return {
    metadata: asking.metadata,
    handle: (...[request, settings]: Parameters<Handle>): ReturnType<Handle> =>
      handlerOf(request).handle(request, settings),
    destroy() {
      for (const handler of [asking, copying, reading]) handler.destroy()
    },
  }
}
