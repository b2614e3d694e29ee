/** Where a server keeps objects, seen from behind its back. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3'
import { startS3 } from '../s3.ts'
import { type FaultProxy, startFaultProxy } from '../s3-faults.ts'
import { type S3Request, startS3Tap } from './s3-tap.ts'

export type StoreKind = 'disk' | 's3'

export interface Store extends AsyncDisposable {
  /** What is stored under a key; undefined when nothing is. */
  read(key: string): Promise<Buffer | undefined>
  keys(): Promise<string[]>
}

/** A bucket of a test's own, whose requests can be counted and made to fail. */
export interface S3Store extends Store {
  readonly bucket: string
  /** Settings of a server that is to use the bucket through the faults. */
  readonly env: Readonly<Record<string, string>>
  /** For what is done to the bucket by others; no faults there. */
  readonly client: S3Client
  readonly faults: FaultProxy
  /** What S3 really got and has answered. */
  readonly requests: readonly S3Request[]
}

export function diskStore(directory: string): Store {
  return {
    async read(key) {
      try {
        return await readFile(join(directory, key))
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    async keys() {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
        (error) => {
          if (isMissing(error)) return []
          throw error
        },
      )
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** The way from a server to S3: the faults, then the tap, then S3. */
export async function startS3Store(): Promise<S3Store> {
  const resources = new AsyncDisposableStack()
  try {
    const s3 = await startS3()
    resources.defer(() => s3.close())
    const tap = await startS3Tap(s3.endpoint)
    resources.defer(() => tap.close())
    const faults = await startFaultProxy(tap.endpoint)
    resources.defer(() => faults.close())
    const client = resources.adopt(clientFor(s3.env), (each) => each.destroy())
    return {
      bucket: s3.bucket,
      env: { ...s3.env, S3_ENDPOINT: faults.endpoint },
      client,
      faults,
      requests: tap.requests,
      read: (key) => readObject(client, s3.bucket, key),
      keys: () => s3.listKeys(),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

function clientFor(env: Readonly<Record<string, string>>): S3Client {
  return new S3Client({
    endpoint: env.S3_ENDPOINT ?? '',
    region: env.S3_REGION ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
    },
  })
}

async function readObject(
  client: S3Client,
  bucket: string,
  key: string,
): Promise<Buffer | undefined> {
  try {
    const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return Buffer.from((await body?.transformToByteArray()) ?? [])
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
