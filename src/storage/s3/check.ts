import { setTimeout as delay } from 'node:timers/promises'
import { hasCode, messageOf } from '../../errors.ts'
import { storageUnusable } from '../errors.ts'
import { Bucket, type CheckedBytes, withChecksum } from './bucket.ts'
import { createS3Client, type S3Options } from './client.ts'
import { statusOf } from './errors.ts'
import { isMismatch, type Trust } from './integrity.ts'

/** For a start that fails in seconds. The last one covers the search for credentials, too. */
const limits = { connect: 2_000, inactivity: 4_000, attempts: 2, sockets: 1 }
const patience = 10_000

/** The same for all instances and every start, so that a crash leaves none behind for good. */
const probeKey = 'landfall-probe'
const probeBytes = Buffer.from('Landfall tries at its start whether it can use this bucket.')

/**
 * Stores, reads and removes a small object, and finds out whether the service looks at checksums.
 * @throws AppError `storage-unusable`
 */
export async function checkBucket(options: S3Options, trust: Trust): Promise<void> {
  const client = createS3Client({ ...options, limits }, trust)
  const bucket = new Bucket(client, options.bucket, options.prefix ?? '')
  const overdue = new AbortController()
  try {
    await Promise.race([probe(bucket, trust), expire(overdue.signal)])
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    throw storageUnusable(diagnose(cause, options), cause)
  } finally {
    overdue.abort()
    bucket.close()
  }
}

async function probe(bucket: Bucket, trust: Trust): Promise<void> {
  const content = withChecksum(probeBytes)
  const wrong = { ...content, crc32: (content.crc32 ^ 1) >>> 0 }
  trust.verifiesChecksums = await isRefused(bucket, wrong)
  await bucket.put(probeKey, content)
  try {
    const stream = await bucket.get(probeKey)
    stream.destroy()
  } catch (error) {
    // Another instance that starts may have removed it; it may be read, then.
    if (!hasCode(error, 'object-not-found')) throw error
  }
  await bucket.remove([probeKey])
  await bucket.head(probeKey)
}

async function isRefused(bucket: Bucket, wrong: CheckedBytes): Promise<boolean> {
  try {
    await bucket.put(probeKey, wrong)
    return false
  } catch (error) {
    if (error instanceof Error && isMismatch(error.cause)) return true
    throw error
  }
}

async function expire(signal: AbortSignal): Promise<never> {
  await delay(patience, undefined, { signal })
  throw Object.assign(new Error(`no answer for ${patience / 1_000} s`), { name: 'TimeoutError' })
}

/** One line that begins with the setting to look at. */
function diagnose(error: unknown, options: S3Options): string {
  const at = whereIs(options)
  const name = error instanceof Error ? error.name : ''
  switch (name) {
    case 'NoSuchBucket':
      return `S3_BUCKET=${options.bucket}: no such bucket at ${at}`
    case 'CredentialsProviderError':
      return 'AWS_ACCESS_KEY_ID: no credentials for S3 were found; set it and AWS_SECRET_ACCESS_KEY'
    case 'InvalidAccessKeyId':
      return `AWS_ACCESS_KEY_ID: this access key is not known at ${at}`
    case 'SignatureDoesNotMatch':
      return 'AWS_SECRET_ACCESS_KEY: it does not belong to AWS_ACCESS_KEY_ID'
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return `S3_REGION=${options.region}: the bucket ${options.bucket} is in another region`
  }
  const status = statusOf(error)
  if (status === 403) {
    return `S3_BUCKET=${options.bucket}: the credentials may not put, get, delete and list its objects`
  }
  if (status === 404) return `S3_BUCKET=${options.bucket}: no such bucket at ${at}`
  if (status !== undefined) return `${settingOf(options)}: answers ${status} (${name})`
  return `${settingOf(options)}: cannot be reached (${reasonOf(error)})`
}

/** The service, without credentials somebody put into its URL. */
export function whereIs({ endpoint, region }: S3Options): string {
  return endpoint?.replace(/\/\/[^@/]*@/, '//') ?? `AWS ${region}`
}

function settingOf(options: S3Options): string {
  return options.endpoint ? `S3_ENDPOINT=${whereIs(options)}` : `S3_REGION=${options.region}`
}

function reasonOf(error: unknown): string {
  const codes = [
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ETIMEDOUT',
    'EHOSTUNREACH',
  ]
  return codes.find((code) => hasCode(error, code)) ?? messageOf(error)
}
