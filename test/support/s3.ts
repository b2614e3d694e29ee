import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { buildApp } from 'fauxqs'
import { Child } from './child.ts'

export interface TestS3 {
  readonly endpoint: string
  readonly bucket: string
  /** What a server process needs to use the bucket. */
  readonly env: Readonly<Record<string, string>>
  /** Whether the service ran before, and goes on after this. */
  readonly isExternal: boolean
  /** Whether it can list multipart uploads, as real services can. */
  readonly listsMultiparts: boolean
  /** All keys in the bucket, sorted. */
  listKeys(prefix?: string): Promise<string[]>
  /** The ids of the multipart uploads that are open under a prefix. */
  listMultiparts(prefix?: string): Promise<string[]>
  /** Removes the bucket, which has to be empty. */
  removeBucket(): Promise<void>
  close(): Promise<void>
}

export interface S3ServiceOptions {
  /** A service that runs already; `S3_TEST_ENDPOINT` when left out. */
  readonly endpoint?: string | undefined
  /** Whether a service of our own gets a process of its own, so that it takes nobody's time. */
  readonly ownProcess?: boolean
}

/**
 * An S3 service with an empty bucket: fauxqs, or with `S3_TEST_ENDPOINT` (and `AWS_ACCESS_KEY_ID`,
 * `AWS_SECRET_ACCESS_KEY`) one that runs already.
 */
export async function startS3(options: S3ServiceOptions = {}): Promise<TestS3> {
  const external = options.endpoint ?? process.env.S3_TEST_ENDPOINT
  const { endpoint, stop } = await startService(external, options.ownProcess ?? false)
  const credentials = {
    accessKeyId: (external && process.env.AWS_ACCESS_KEY_ID) || 'test-key',
    secretAccessKey: (external && process.env.AWS_SECRET_ACCESS_KEY) || 'test-secret',
  }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  const bucket = `landfall-${randomUUID()}`
  const close = async () => {
    client.destroy()
    await stop()
  }
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
  } catch (error) {
    await close()
    throw error
  }
  return {
    endpoint,
    bucket,
    env: {
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    isExternal: external !== undefined,
    listsMultiparts: external !== undefined,
    listKeys: (prefix) => listKeys(client, bucket, prefix),
    listMultiparts: (prefix) => listMultiparts(client, bucket, prefix),
    async removeBucket() {
      await client.send(new DeleteBucketCommand({ Bucket: bucket }))
    },
    close,
  }
}

interface S3Service {
  readonly endpoint: string
  stop(): Promise<unknown>
}

async function startService(external: string | undefined, ownProcess: boolean): Promise<S3Service> {
  if (external) return { endpoint: external, stop: async () => {} }
  if (ownProcess) return startFauxqsProcess()
  const app = buildApp({ logger: false })
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 })
  return { endpoint, stop: () => app.close() }
}

async function startFauxqsProcess(): Promise<S3Service> {
  const env = { PATH: process.env.PATH ?? '' }
  const args = [join(import.meta.dirname, 's3-process.ts'), `${process.pid}`]
  const child = new Child({ args, env })
  const endpoint = await child.firstOutput(() => /^http\S+/m.exec(child.stdout)?.[0])
  if (endpoint === undefined) throw new Error(`the S3 service did not start:\n${child.stderr}`)
  return { endpoint, stop: () => child.kill('SIGKILL') }
}

async function listKeys(client: S3Client, bucket: string, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key: key } of page.Contents ?? []) if (key) keys.push(key)
  }
  return keys.sort()
}

async function listMultiparts(client: S3Client, bucket: string, prefix = ''): Promise<string[]> {
  const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix })
  const { Uploads: uploads = [], IsTruncated: isMore } = await client.send(list)
  if (isMore) throw new Error('there are more open multipart uploads than one answer tells')
  return uploads.flatMap((upload) => upload.UploadId ?? [])
}
