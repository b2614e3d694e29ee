import { setTimeout as delay } from 'node:timers/promises'
import { hasCode, messageOf } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { storageUnusable } from '../errors.ts'
import { Bucket } from './bucket.ts'
import { createS3Client, type S3Options } from './client.ts'
import { statusOf } from './errors.ts'

/** For a start that fails in seconds. The last one covers the search for credentials, too. */
const limits = { connect: 2_000, inactivity: 4_000, attempts: 2, sockets: 1 }
const patience = 10_000

/** Stores, reads and removes a small object. @throws AppError `storage-unusable` */
export async function checkBucket(options: S3Options): Promise<void> {
  const bucket = new Bucket(
    createS3Client({ ...options, limits }),
    options.bucket,
    options.prefix ?? '',
  )
  const overdue = new AbortController()
  try {
    await Promise.race([probe(bucket), expire(overdue.signal)])
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    throw storageUnusable(diagnose(cause, options), cause)
  } finally {
    overdue.abort()
    bucket.close()
  }
}

async function probe(bucket: Bucket): Promise<void> {
  const key = `probe-${newId()}`
  await bucket.put(key, Buffer.from('probe'))
  const stream = await bucket.get(key)
  stream.destroy()
  await bucket.remove([key])
  await bucket.head(key)
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
